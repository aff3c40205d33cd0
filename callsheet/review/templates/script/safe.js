// --- safe areas: what a screen or an app covers ------------------------------------------------------------------------

// Shares of width and height that are kept free at the top, right, bottom and left. All of them are approximations: apps move
// their buttons, captions wrap, screens differ. Where they come from is in docs/review.md.
const INTERFACE = "app"; // covers a part of a tall film
const ZONES = {
  // EBU R 95 (2008) and SMPTE ST 2046-1 (2009), for 16:9: action within 93 %, titles and graphics within 90 %. Other shapes by
  // the same shares, which no standard says.
  tv: { name: "Action and title", boxes: [["Action 93 %", 0.035, 0.035, 0.035, 0.035], ["Title 90 %", 0.05, 0.05, 0.05, 0.05]] },
  // As quoted of TikTok Ads Manager, in-feed video: 126, 120, 370 and 60 of 540 × 960 pixels, for a caption of a few lines.
  tiktok: { name: "TikTok", kind: INTERFACE, boxes: [["TikTok", 0.131, 0.222, 0.385, 0.111]] },
  // As quoted of Meta's Business Help Center: 14 % at the top, 35 % at the bottom, 6 % at each side.
  reels: { name: "Reels", kind: INTERFACE, boxes: [["Reels", 0.14, 0.06, 0.35, 0.06]] },
  // As quoted of Google Ads Help, vertical video on Shorts: 288, 192, 672 and 48 of 1080 × 1920 pixels.
  shorts: { name: "Shorts", kind: INTERFACE, boxes: [["Shorts", 0.15, 0.178, 0.35, 0.044]] },
};
const TALL = 0.7; // narrower than this a film fills the screen of a phone
const hasTall = [...facts.values()].some((known) => known.ratio < TALL);
const offered = Object.keys(ZONES).filter((name) => hasTall || ZONES[name].kind !== INTERFACE);
let zone = offered.includes(view.get("safe")) ? view.get("safe") : "";

function overlay(ratio) {
  const found = ZONES[zone];
  if (!found || (found.kind === INTERFACE && ratio >= TALL)) return null;
  const layer = make("div", "safe");
  layer.setAttribute("aria-hidden", "true");
  layer.dataset.zone = zone;
  for (const [name, ...free] of found.boxes) {
    const box = make("i", found.kind === INTERFACE ? "clear" : "line", make("span", "", name));
    ["top", "right", "bottom", "left"].forEach((side, place) => box.style.setProperty(side, `${free[place] * 100}%`));
    layer.append(box);
  }
  return layer;
}

// Put the overlay of now into an element, or take it out.
function cover(element, ratio) {
  const there = one(":scope > .safe", element);
  if ((there?.dataset.zone ?? "") === zone && zone) return;
  there?.remove();
  const layer = zone && overlay(ratio);
  if (layer) element.append(layer);
}

// On the frames that are seen; the others get theirs when they are.
function zones() {
  for (const frame of seen) {
    const cell = frame.element.parentElement;
    if (facts.has(cell) && canJudge(cell)) cover(frame.element, facts.get(cell).ratio);
  }
}

function chooseZone(name) {
  zone = name;
  remember("safe", zone);
  for (const choice of all(".safe-choice")) choice.value = zone;
  for (const layer of all(".safe")) layer.remove();
  zones();
  if (room.open) coverPair();
  say(zone ? `Safe area: ${ZONES[zone].name}, approximately.` : "Safe areas are off.");
}

const nextZone = () => chooseZone(["", ...offered][(offered.indexOf(zone) + 2) % (offered.length + 1)]);

for (const choice of all(".safe-choice")) {
  choice.append(...offered.map((name) => new Option(ZONES[name].name, name)));
  choice.value = zone;
  choice.addEventListener("change", () => chooseZone(choice.value));
}
