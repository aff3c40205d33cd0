// --- players in step ---------------------------------------------------------------------------------------------------

const DRIFT = 0.03; // seconds of difference from the source that are corrected
const SETTLED = 0.01; // and until when
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

  // The source; where there is none, or there are several, the longest film: it is the last one to end.
  get clock() {
    let found = null;
    let isMaster = false;
    for (const [video, state] of this.players) {
      if (video.error || video.readyState < HAVE_METADATA || (isMaster && !state.master)) continue;
      if (!found || (state.master && !isMaster) || video.duration > found.duration + 0.1) found = video;
      isMaster = isMaster || state.master;
    }
    return found;
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
      video.playbackRate = shared.rate * (1 - clamp(drift * 3, -0.3, 0.3));
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
