/* The form as the body of a request, and what is still missing from it. */

import { store } from "./store.js";

/** Values of all options of the model: chosen, else the default; undefined where there is none. */
export function settled(model = store.model) {
  return Object.fromEntries(model.options.map((option) => [option.name, valueOf(option)]));
}

function valueOf(option) {
  const chosen = store.options[option.name];
  return chosen !== undefined && fits(option, chosen) ? chosen : option.default ?? undefined;
}

function fits(option, value) {
  if (option.choices?.length) return option.choices.includes(value);
  if (option.range) return Number.isInteger(value) && value >= option.range[0] && value <= option.range[1];
  return true;
}

/** Does this option mean anything now? Some need a switch that is off. */
export function counts(option, values) {
  return option.kind === "switch" || !option.needs?.some((name) => isSwitch(name) && !values[name]);
}

const isSwitch = (name) => store.model.options.find((option) => option.name === name)?.kind === "switch";

/** The pictures that this model takes, in their order; what is beyond its count stays in the form unused. */
export const taken = () => (imagesOf(store.model) ? store.images.slice(0, imagesOf(store.model).count[1]) : []);

/** An element is learnt from pictures or from a clip, which are further options of it. */
export function imagesOf(model) {
  if (model.kind !== "element") return model.images;
  if (settled(model).reference_type !== "image_refer") return null;
  return { role: "element", count: [2, 4], formats: ["jpeg", "png"], max_bytes: 10_000_000, required: true };
}

export function clipOf(model) {
  if (model.kind !== "element") return model.clip;
  if (settled(model).reference_type !== "video_refer") return null;
  return { formats: ["mp4", "mov"], max_bytes: 100_000_000, seconds: [3, 8], required: true };
}

/** The body. With `links` false, files that are not uploaded yet are left out; else they are shown as <upload>. */
export function body() {
  const model = store.model;
  const built = { model: model.model_id };
  if (store.prompt.trim()) built.prompt = store.prompt;
  addInputs(built, model);
  if (store.ratio && model.aspect_ratios.includes(store.ratio)) built.aspect_ratio = store.ratio;
  if (model.sound_field && store.clip) put(built, model.sound_field, store.keepSound);
  addOptions(built, model);
  return built;
}

function addInputs(built, model) {
  const clip = clipOf(model) ? store.clip?.url : null;
  const images = taken().map((image) => image.url).filter(Boolean);
  if (model.kind === "element") return addElement(built, clip, images);
  if (clip) built[model.clip.field] = model.clip.shape === "list" ? [clip] : clip;
  if (!images.length) return;
  if (model.images.shape === "list") built[model.images.fields[0]] = images;
  else images.forEach((url, index) => { built[model.images.fields[index]] = url; });
}

function addElement(built, clip, images) {
  if (clip) put(built, "model_params.element_video_list", { refer_videos: [{ video_url: clip }] });
  const [frontal, ...others] = images;
  if (frontal) {
    const list = { frontal_image: frontal, refer_images: others.map((url) => ({ image_url: url })) };
    put(built, "model_params.element_image_list", list);
  }
}

function addOptions(built, model) {
  const values = settled(model);
  for (const option of model.options) {
    const value = values[option.name];
    if (isEmpty(value) || !counts(option, values) || value === false) continue;
    put(built, option.field, value);
  }
}

export const isEmpty = (value) => value === undefined || value === null || value === "" || (Array.isArray(value) && !value.length);

function put(built, field, value) {
  const names = field.split(".");
  const last = names.pop();
  let place = built;
  for (const name of names) place = place[name] ??= {};
  place[last] = value;
}

/** [place, word] of everything that is missing; places are those of the form. */
export function missing() {
  const model = store.model;
  const found = [];
  const clip = clipOf(model);
  const images = imagesOf(model);
  if (clip?.required && !store.clip) found.push(["clip", "wrong.clip"]);
  if (images?.required && taken().length < images.count[0]) found.push(["images", "wrong.images"]);
  if (model.prompt.required && !store.prompt.trim()) found.push(["prompt", "wrong.prompt"]);
  if ([...store.prompt].length > model.prompt.max) found.push(["prompt", "wrong.prompt.long"]);
  for (const option of model.options) {
    if (option.required && isEmpty(settled(model)[option.name])) found.push([`option-${option.name}`, "wrong.option"]);
  }
  return found;
}

/** Files on their way, or that did not arrive. */
export function inputs() {
  return [...(clipOf(store.model) && store.clip ? [store.clip] : []), ...taken()];
}

/** The seconds that are priced; null where they are not known yet. */
export function quantity() {
  const { quantity: of } = store.model.price;
  if (of === "one") return 1;
  if (of === "duration") return Number(settled().duration ?? 0) || null;
  return store.clip?.seconds ?? null;
}
