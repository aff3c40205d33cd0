/* What the page knows. Parts that show something of it say so with `on`, and are told when it changed. */

const listeners = new Map();

export const store = {
  models: [],
  model: null,
  /** null, or { name, bytes, url, preview, progress, seconds, width, height, error, upload } */
  clip: null,
  images: [],
  prompt: "",
  ratio: null,
  keepSound: true,
  /** Options that were chosen, by name: kept when the model changes, sent where it knows them. */
  options: {},
  price: null,
  studio: null,
  /** The id of the task on the stage; null while there is none. */
  shown: null,
  tasks: new Map(),
};

export function on(what, listener) {
  for (const name of what.split(" ")) listeners.set(name, [...(listeners.get(name) ?? []), listener]);
}

export function changed(what) {
  for (const listener of listeners.get(what) ?? []) listener();
}
