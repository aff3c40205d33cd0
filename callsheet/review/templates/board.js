// The board: players in step, filters, compare. Text reaches the page as text only (textContent), never as markup.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const spoken = (seconds) => {
    const hundredths = Math.round(seconds * 100);
    const pad = (number) => String(number).padStart(2, "0");
    return `${Math.floor(hundredths / 6000)}:${pad(Math.floor(hundredths / 100) % 60)}.${pad(hundredths % 100)}`;
  };
  document.documentElement.classList.add("scripted");

  // --- players in step ------------------------------------------------------------------------------------------------

  const DRIFT = 0.08; // seconds of difference from the source that are corrected
  const SETTLED = 0.02; // and until when
  const FAR = 0.35; // beyond this a change of speed would take too long, so seek
  const PATIENCE = 600; // ms between two seeks of one player, which would otherwise chase each other
  const FRAME = 1 / 25; // seconds of an arrow key
  const HAVE_METADATA = 1, HAVE_FRAME = 2;

  const shared = { muted: true, rate: 1, loop: true };
  const reels = [];

  // One clock, the source, and the variants that follow it.
  class Reel {
    constructor(controls) {
      this.controls = controls;
      this.players = new Map(); // video -> {master, correcting, sought}
      this.playing = false;
      this.engaged = false; // nothing is loaded before it is asked for
      this.at = 0; // seconds, kept while no player is loaded
      this.heard = null;
      this.onChange = () => {};
      reels.push(this);
      this.wire();
    }

    get clock() {
      let first = null;
      for (const [video, state] of this.players) {
        if (video.error || video.readyState < HAVE_METADATA) continue;
        if (state.master) return video;
        first = first || video;
      }
      return first;
    }

    get length() {
      const clock = this.clock;
      return (clock && Number.isFinite(clock.duration) && clock.duration) || Number.parseFloat(this.controls.dataset.seconds) || 0;
    }

    add(video, master) {
      this.players.set(video, { master, correcting: false, sought: -PATIENCE });
      video.addEventListener("loadedmetadata", () => {
        this.put(video, this.at);
        this.voice();
        if (this.playing) this.start(video);
        this.draw();
      });
      // A missing frame at the end must not stop the sheet: whoever is the clock decides.
      video.addEventListener("ended", () => { if (video === this.clock) this.wrap(); });
      this.voice();
    }

    remove(video) {
      this.players.delete(video);
      video.pause();
      video.removeAttribute("src");
      video.load(); // gives the decoder back
    }

    put(video, seconds) {
      if (video.readyState < HAVE_METADATA) return;
      const last = Math.max(0, video.duration - 0.04);
      video.currentTime = clamp(seconds, 0, Number.isFinite(last) ? last : seconds);
    }

    start(video) {
      video.playbackRate = shared.rate;
      video.play().catch((reason) => {
        // AbortError: paused or unloaded before it began, as asked. Anything else is shown at the frame.
        if (reason.name !== "AbortError") video.closest(".frame, .side")?.classList.add("broken");
      });
    }

    play() {
      for (const other of reels) if (other !== this) other.pause();
      this.engage();
      this.playing = true;
      if (this.length && this.at >= this.length - 0.05) this.seek(0);
      for (const video of this.players.keys()) this.start(video);
      this.draw();
      requestAnimationFrame(() => this.tick());
    }

    pause() {
      if (!this.playing) return;
      this.playing = false;
      const clock = this.clock;
      if (clock) this.at = clock.currentTime;
      for (const video of this.players.keys()) {
        video.pause();
        if (video !== clock) this.put(video, this.at); // a still comparison is of the same frame
      }
      this.draw();
    }

    toggle() { this.playing ? this.pause() : this.play(); }

    engage() {
      if (this.engaged) return;
      this.engaged = true;
      this.onChange();
    }

    seek(seconds) {
      this.engage();
      this.at = clamp(seconds, 0, this.length || seconds);
      for (const [video, state] of this.players) {
        state.correcting = false;
        state.sought = performance.now();
        this.put(video, this.at);
      }
      this.draw();
    }

    wrap() {
      if (!this.playing) return;
      if (!shared.loop) return this.pause();
      this.seek(0);
      for (const video of this.players.keys()) this.start(video);
    }

    tick() {
      if (!this.playing) return;
      const clock = this.clock;
      if (clock && !clock.seeking) {
        this.at = clock.currentTime;
        for (const [video, state] of this.players) if (video !== clock) this.correct(video, state, this.at);
        this.draw();
      }
      requestAnimationFrame(() => this.tick());
    }

    correct(video, state, now) {
      if (video.readyState < HAVE_FRAME || video.seeking) return;
      const end = video.duration - 0.04;
      if (now >= end) { if (!video.paused) video.pause(); return; } // shorter than its source: holds its last frame
      if (video.paused) { this.put(video, now); this.start(video); return; }
      const drift = video.currentTime - now;
      if (Math.abs(drift) > FAR) {
        if (performance.now() - state.sought < PATIENCE) return;
        state.sought = performance.now();
        state.correcting = false;
        video.playbackRate = shared.rate;
        this.put(video, now + 0.03 * shared.rate);
      } else if (Math.abs(drift) > DRIFT || (state.correcting && Math.abs(drift) > SETTLED)) {
        state.correcting = true;
        video.playbackRate = shared.rate * (1 - clamp(drift * 2, -0.3, 0.3));
      } else if (state.correcting) {
        state.correcting = false;
        video.playbackRate = shared.rate;
      }
    }

    // One voice at a time: the variant in hand where it has sound, else the source.
    voice() {
      const chosen = this.players.has(this.heard) ? this.heard : this.clock;
      for (const video of this.players.keys()) video.muted = shared.muted || video !== chosen;
    }

    wire() {
      const part = (name) => one(`.${name}`, this.controls);
      part("play").addEventListener("click", () => { current = this; this.toggle(); });
      part("scrub").addEventListener("input", (event) => {
        current = this;
        this.engage();
        this.seek((event.target.value / 1000) * this.length);
      });
      part("loop").addEventListener("click", () => share({ loop: !shared.loop }));
      part("mute").addEventListener("click", () => share({ muted: !shared.muted }));
      part("speed").addEventListener("change", (event) => share({ rate: Number(event.target.value) }));
    }

    draw() {
      const length = this.length;
      const permille = length ? clamp((this.at / length) * 1000, 0, 1000) : 0;
      const scrub = one(".scrub", this.controls);
      const name = one(".play", this.controls);
      this.controls.classList.toggle("playing", this.playing);
      scrub.value = permille;
      scrub.style.setProperty("--at", `${permille / 10}%`);
      scrub.setAttribute("aria-valuetext", `${this.at.toFixed(1)} of ${length.toFixed(1)} seconds`);
      one(".time", this.controls).textContent = spoken(this.at);
      name.setAttribute("aria-label", name.getAttribute("aria-label").replace(/^\w+/, this.playing ? "Pause" : "Play"));
    }
  }

  // Loop, sound and speed are one choice for the whole sheet.
  function share(change) {
    Object.assign(shared, change);
    for (const reel of reels) {
      one(".loop", reel.controls).setAttribute("aria-pressed", shared.loop);
      one(".mute", reel.controls).setAttribute("aria-pressed", shared.muted);
      one(".speed", reel.controls).value = String(shared.rate);
      for (const video of reel.players.keys()) video.playbackRate = shared.rate;
      reel.voice();
    }
  }

  function film(url, label, poster = "") {
    const video = document.createElement("video");
    if (poster) video.poster = poster;
    video.muted = true;
    video.playsInline = true;
    video.preload = "auto";
    video.disablePictureInPicture = true;
    video.tabIndex = -1;
    video.setAttribute("aria-label", label);
    video.addEventListener("loadeddata", () => video.classList.add("ready"));
    video.src = url;
    return video;
  }

  // --- frames: only what is on the screen is loaded ---------------------------------------------------------------------

  const frames = new Map(); // element -> frame
  let current = null; // the reel that the keyboard drives

  class Frame {
    constructor(element, reel, master) {
      Object.assign(this, { element, reel, master, visible: false, video: null });
      this.picture = one("img", element);
      frames.set(element, this);
      sight.observe(element);
      if (this.picture && master) this.shapeFrom(this.picture, "load", () => [this.picture.naturalWidth, this.picture.naturalHeight]);
    }

    // The proportions of a source are nowhere but in the source.
    shapeFrom(node, event, size) {
      const apply = () => { const [width, height] = size(); if (width && height) this.element.style.setProperty("--ratio", width / height); };
      node.addEventListener(event, apply);
      apply();
    }

    get wanted() {
      const shown = this.element.offsetParent !== null;
      const near = this.visible || (this.master && this.reel.engaged && this.reel.inSight);
      return Boolean(this.element.dataset.url) && shown && near && (this.reel.engaged || !this.picture);
    }

    update() {
      if (this.wanted && !this.video) this.load();
      else if (!this.wanted && this.video) this.unload();
    }

    load() {
      const video = film(this.element.dataset.url, "");
      video.setAttribute("aria-hidden", "true");
      video.addEventListener("error", () => this.element.classList.add("broken"));
      if (this.master) this.shapeFrom(video, "loadedmetadata", () => [video.videoWidth, video.videoHeight]);
      this.video = video;
      this.element.append(video);
      this.reel.add(video, this.master);
    }

    unload() {
      this.reel.remove(this.video);
      this.video.remove();
      this.video = null;
    }
  }

  const sight = new IntersectionObserver((changes) => {
    for (const change of changes) frames.get(change.target).visible = change.isIntersecting;
    refresh();
  }, { rootMargin: "160px 0px" });

  function refresh() {
    for (const reel of reels) reel.inSight = false;
    for (const frame of frames.values()) if (frame.visible) frame.reel.inSight = true;
    for (const frame of frames.values()) frame.update();
    for (const reel of reels) if (reel.playing && reel !== both && !reel.inSight) reel.pause();
  }

  for (const group of all(".group")) {
    const reel = new Reel(one(".transport", group));
    reel.onChange = refresh;
    reel.group = group;
    for (const [index, strip] of all(".strip", group).entries()) {
      new Frame(one(".source .frame", strip), reel, index === 0 && one(".source .frame", strip).dataset.url !== "");
      for (const element of all(".cell .frame", strip)) new Frame(element, reel, false);
    }
    current = current || reel;
  }
  const reelOf = (cell) => frames.get(one(".frame", cell)).reel;

  // --- rows -----------------------------------------------------------------------------------------------------------

  const GROWTH = 1.6; // how much taller than asked a row may get to fill its width; as in the style
  const lists = all(".cells");

  // The style fills every row but the last. The last one gets the height of the others, so that a sheet has one measure.
  function fit(list) {
    const style = getComputedStyle(list);
    const gap = Number.parseFloat(style.columnGap);
    const asked = Number.parseFloat(style.getPropertyValue("--row"));
    const width = list.clientWidth;
    const rows = [];
    let used = Infinity;
    for (const cell of list.children) {
      if (cell.hidden) continue;
      const ratio = Number.parseFloat(getComputedStyle(cell).getPropertyValue("--ratio"));
      const basis = Math.min(ratio * asked, width);
      if (used + gap + basis > width + 0.01) { rows.push({ ratios: 0, count: 0 }); used = -gap; }
      used += gap + basis;
      const row = rows[rows.length - 1];
      row.ratios += ratio;
      row.count += 1;
    }
    const height = (row) => Math.min((width - gap * (row.count - 1)) / row.ratios, asked * GROWTH);
    const last = rows.pop();
    if (!last) return;
    const others = rows.length ? rows.reduce((sum, row) => sum + height(row), 0) / rows.length : asked * 1.25;
    const full = last.ratios * Math.min(height(last), others) + gap * (last.count - 1);
    list.style.setProperty("--rest", `${Math.max(0, width - full)}px`);
    list.classList.add("fitted");
  }

  const measure = new ResizeObserver((changes) => { for (const change of changes) fit(change.target); });
  for (const list of lists) measure.observe(list);

  // --- filters --------------------------------------------------------------------------------------------------------

  const cells = all(".cell");
  const groups = all(".group");
  const find = document.getElementById("find");
  const chosen = data.axes.map(() => new Set());

  function matches(id, words) {
    const text = data.cells[id].text;
    return words.every((word) => text.includes(word))
      && chosen.every((values, axis) => !values.size || [...values].some((value) => data.axes[axis][value].includes(id)));
  }

  function filter() {
    const words = find.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    for (const cell of cells) cell.hidden = !matches(cell.id, words);
    for (const box of [...all(".strip"), ...groups]) box.hidden = !one(".cell:not([hidden])", box);
    const left = cells.filter((cell) => !cell.hidden).length;
    const everything = left === cells.length && !words.length && chosen.every((values) => !values.size);
    document.getElementById("shown").textContent = everything ? `${cells.length} shown` : `${left} of ${cells.length} shown`;
    document.getElementById("clear").hidden = everything;
    document.getElementById("nothing").hidden = left > 0 || !cells.length;
    lists.forEach(fit);
    refresh();
  }

  function clear() {
    find.value = "";
    for (const values of chosen) values.clear();
    for (const chip of all(".chip")) chip.setAttribute("aria-pressed", "false");
    filter();
  }

  for (const chip of all(".chip")) {
    chip.addEventListener("click", () => {
      const values = chosen[chip.dataset.axis];
      const value = Number(chip.dataset.value);
      values.has(value) ? values.delete(value) : values.add(value);
      chip.setAttribute("aria-pressed", values.has(value));
      filter();
    });
  }
  find.addEventListener("input", filter);
  document.getElementById("clear").addEventListener("click", clear);
  document.getElementById("clear-too").addEventListener("click", clear);

  const ROWS = { s: "150px", m: "", l: "380px" };
  for (const button of all("[data-size]")) {
    button.addEventListener("click", () => {
      const root = document.documentElement.style;
      ROWS[button.dataset.size] ? root.setProperty("--row", ROWS[button.dataset.size]) : root.removeProperty("--row");
      for (const other of all("[data-size]")) other.setAttribute("aria-pressed", other === button);
      lists.forEach(fit);
    });
  }

  // --- the variant in hand --------------------------------------------------------------------------------------------

  let marked = null;

  function mark(cell) {
    marked?.classList.remove("marked");
    marked = cell;
    if (!cell) return;
    cell.classList.add("marked");
    read(cell);
    const reel = reelOf(cell);
    if (!reel.playing && reels.every((other) => !other.playing)) current = reel;
    reel.heard = data.cells[cell.id].sound ? frames.get(one(".frame", cell)).video : null;
    reel.voice();
  }

  function step(by) {
    const shown = cells.filter((cell) => !cell.hidden);
    if (!shown.length) return;
    const place = shown.indexOf(marked);
    const next = shown[place < 0 ? (by > 0 ? 0 : shown.length - 1) : clamp(place + by, 0, shown.length - 1)];
    one(".frame", next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  // The whole prompt of the variant under the pointer or in hand, beside its source.
  function read(cell) {
    if (!cell) return;
    const hand = one(".hand", cell.closest(".strip"));
    one(".hand-name", hand).textContent = data.cells[cell.id].title;
    one(".prompt", hand).textContent = data.cells[cell.id].prompt;
  }

  for (const cell of cells) {
    one(".frame", cell).addEventListener("focus", () => mark(cell));
    cell.addEventListener("pointerenter", () => read(cell));
    cell.addEventListener("pointerleave", () => read(marked?.closest(".strip") === cell.closest(".strip") ? marked : null));
    one("a.frame", cell)?.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return; // the file itself, in a tab of its own
      event.preventDefault();
      compare(cell);
    });
  }

  // --- compare --------------------------------------------------------------------------------------------------------

  const room = document.getElementById("compare");
  const pair = document.getElementById("pair");
  const wipe = document.getElementById("wipe");
  const both = new Reel(document.getElementById("compare-transport"));
  let wished = null; // the mode a person chose; until then the proportions decide
  let opened = null;

  function place(side, url, label, poster, master) {
    one("video", side)?.remove();
    side.classList.remove("broken");
    if (!url) return null;
    const video = film(url, label, poster);
    video.addEventListener("error", () => side.classList.add("broken"));
    side.prepend(video);
    both.add(video, master);
    return video;
  }

  function compare(cell) {
    const facts = data.cells[cell.id];
    const from = reelOf(cell);
    const at = room.open ? both.at : from.at;
    const still = room.open && !both.playing;
    for (const reel of reels) reel.pause();
    for (const video of [...both.players.keys()]) both.remove(video);
    opened = cell;
    mark(cell);
    tell(cell, facts);
    both.at = at;
    both.controls.dataset.seconds = from.length;
    pair.style.setProperty("--vr", facts.ratio);
    pair.style.setProperty("--sr", facts.ratio);
    const source = place(document.getElementById("the-source"), facts.source, "Source", facts.sourcePoster, true);
    const variant = place(document.getElementById("the-variant"), facts.url, facts.title, facts.poster, !source);
    both.heard = facts.sound ? variant : null;
    pair.classList.toggle("alone", !source);
    mode(facts.ratio, facts.ratio);
    source?.addEventListener("loadedmetadata", () => {
      const ratio = source.videoWidth / source.videoHeight;
      pair.style.setProperty("--sr", ratio);
      mode(ratio, facts.ratio);
    });
    if (!room.open) room.showModal();
    both.engaged = true;
    both.draw();
    if (!still && !matchMedia("(prefers-reduced-motion: reduce)").matches) both.play();
  }

  function tell(cell, facts) {
    const shown = playable();
    one("bdi", document.getElementById("compare-name")).textContent = facts.title;
    one(".variant .tag").textContent = facts.title;
    document.getElementById("place").textContent = `${shown.indexOf(cell) + 1} of ${shown.length}`;
    document.getElementById("compare-prompt").textContent = facts.prompt || "No prompt was recorded.";
    document.getElementById("open-file").href = facts.url;
    document.getElementById("open-sidecar").hidden = !facts.sidecar;
    document.getElementById("open-sidecar").href = facts.sidecar || "#";
    document.getElementById("compare-facts").replaceChildren(...facts.facts.map(([name, value]) => {
      const row = document.createElement("div");
      for (const [tag, text] of [["dt", name], ["dd", value]]) {
        const inner = document.createElement("bdi");
        inner.textContent = text;
        row.appendChild(document.createElement(tag)).append(inner);
      }
      return row;
    }));
  }

  // A wipe needs two pictures of one shape; where the model changed the shape, beside each other is the honest view.
  function mode(source, variant) {
    const beside = wished ? wished === "side" : Math.abs(source / variant - 1) > 0.03;
    pair.classList.toggle("beside", beside && !pair.classList.contains("alone"));
    for (const button of all("[data-mode]")) button.setAttribute("aria-pressed", (button.dataset.mode === "side") === beside);
  }

  function wish(name) {
    wished = name;
    mode(1, 1);
  }

  const playable = () => cells.filter((cell) => !cell.hidden && data.cells[cell.id].url);

  function turn(by) {
    const shown = playable();
    const next = shown[shown.indexOf(opened) + by];
    if (next) compare(next);
  }

  function leave() {
    const at = both.at;
    both.pause();
    for (const video of [...both.players.keys()]) { both.remove(video); video.remove(); }
    const reel = reelOf(opened);
    current = reel;
    if (reel.engaged || at > 0) reel.seek(at);
    one(".frame", opened).focus({ preventScroll: true });
    opened.scrollIntoView({ block: "nearest" });
  }

  wipe.addEventListener("input", () => {
    pair.style.setProperty("--cut", `${wipe.value}%`);
    wipe.setAttribute("aria-valuetext", `${Math.round(wipe.value)} percent source`);
  });
  for (const button of all("[data-mode]")) button.addEventListener("click", () => wish(button.dataset.mode));
  document.getElementById("previous").addEventListener("click", () => turn(-1));
  document.getElementById("next").addEventListener("click", () => turn(1));
  document.getElementById("close").addEventListener("click", () => room.close());
  room.addEventListener("close", leave);

  const help = document.getElementById("help");
  document.getElementById("ask").addEventListener("click", () => help.showModal());
  document.getElementById("help-close").addEventListener("click", () => help.close());

  // --- keyboard -------------------------------------------------------------------------------------------------------

  const inHand = () => (room.open ? both : current);
  const keys = {
    " ": () => inHand()?.toggle(),
    j: () => (room.open ? turn(1) : step(1)),
    k: () => (room.open ? turn(-1) : step(-1)),
    f: () => { if (!room.open) { find.focus(); find.select(); } },
    m: () => share({ muted: !shared.muted }),
    l: () => share({ loop: !shared.loop }),
    w: () => { if (room.open) wish(pair.classList.contains("beside") ? "wipe" : "side"); },
    ArrowLeft: () => nudge(-FRAME),
    ArrowRight: () => nudge(FRAME),
    "?": () => help.showModal(),
  };

  function nudge(by) {
    const reel = inHand();
    if (!reel) return;
    reel.pause();
    reel.seek(reel.at + by);
  }

  // What a focused control does with a key of its own comes first: text is typed, a slider moves, a button is pressed.
  function isTaken(target, key) {
    if (target.matches("input[type=search], select")) return true;
    if (target.matches("input[type=range]")) return key.startsWith("Arrow");
    return key === " " && target.matches("button, summary, a:not(.frame)");
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === find) {
      find.value ? clear() : find.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || help.open || isTaken(event.target, event.key)) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  filter();
  share({});
})();
