// --- frames: only what is on the screen has a player ------------------------------------------------------------------

const MOST = 24; // players at once; a browser has some 75 decoders, and a machine fewer that keep up
const frames = new Map(); // element -> frame
const seen = new Set(); // frames on the screen, or nearly
let current = null; // the reel that the keyboard drives

class Frame {
  constructor(element, reel, master) {
    Object.assign(this, { element, reel, master, video: null });
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

  // A source that scrolled away still is the clock of what plays.
  get wanted() {
    const near = seen.has(this) || (this.master && this.reel.engaged && this.reel.inSight);
    return Boolean(this.element.dataset.url) && near && this.element.isConnected && (this.reel.engaged || !this.picture);
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
    if (!this.video) return;
    this.reel.remove(this.video);
    this.video.remove();
    this.video = null;
  }

  leave() {
    this.unload();
    sight.unobserve(this.element);
    seen.delete(this);
    frames.delete(this.element);
  }
}

const sight = new IntersectionObserver((changes) => {
  for (const change of changes) {
    const frame = frames.get(change.target);
    if (!frame) continue;
    change.isIntersecting ? seen.add(frame) : seen.delete(frame);
  }
  refresh();
}, { rootMargin: "160px 0px" });

function refresh() {
  for (const reel of reels) reel.inSight = false;
  for (const frame of seen) frame.reel.inSight = true;
  let wanted = [...frames.values()].filter((frame) => frame.wanted);
  if (wanted.length > MOST) wanted = nearest(wanted);
  const chosen = new Set(wanted);
  for (const frame of frames.values()) if (frame.video && !chosen.has(frame)) frame.unload();
  for (const frame of chosen) if (!frame.video) frame.load();
  for (const reel of reels) if (reel.playing && reel !== both && !reel.inSight) reel.pause();
  zones();
}

// Sources first, then what is nearest to the middle of the window.
function nearest(wanted) {
  const middle = innerHeight / 2;
  const away = new Map(wanted.map((frame) => {
    const box = frame.element.getBoundingClientRect();
    return [frame, frame.master ? -1 : Math.abs((box.top + box.bottom) / 2 - middle)];
  }));
  return wanted.sort((a, b) => away.get(a) - away.get(b)).slice(0, MOST);
}

for (const group of groups) {
  const reel = new Reel(one(".transport", group));
  reel.onChange = refresh;
  reel.group = group;
  for (const [index, strip] of all(".strip", group).entries()) {
    const source = one(".source .frame", strip);
    new Frame(source, reel, index === 0 && source.dataset.url !== "");
    for (const cell of one(".cells", strip).children) new Frame(frameOf(cell), reel, false);
  }
  current = current || reel;
}
const reelOf = (cell) => frames.get(frameOf(cell)).reel;
