/* The sandbox's own API: what every client of it uses. Any key opens it; this one is no secret. */

const HEADERS = { Authorization: "Bearer sk-evo-sandbox" };

/** The server said no. code: the machine's word for it; param: the field at fault; wait: seconds, of Retry-After. */
export class Refused extends Error {
  constructor(status, body, headers) {
    const error = body?.error ?? { message: body?.msg };
    super(error.message || `HTTP ${status}`);
    this.status = status;
    this.code = error.reason || (typeof error.code === "string" ? error.code : "");
    this.param = error.param ?? "";
    this.hint = error.fallback_suggestion ?? "";
    this.more = error;
    this.wait = seconds(headers("Retry-After"));
  }
}

/** Nobody answered. */
export class Gone extends Error {}

function seconds(text) {
  if (!text) return 0;
  if (/^\d+$/.test(text.trim())) return Number(text);
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? 0 : Math.max(0, Math.ceil((moment - Date.now()) / 1000));
}

export const get = (path) => call("GET", path);
export const post = (path, body, headers = {}) => call("POST", path, body, headers);

async function call(method, path, body, headers = {}) {
  const options = { method, headers: { ...HEADERS, ...headers }, cache: "no-store", credentials: "omit" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Gone(path);
  }
  return judged(answer.status, await answer.json().catch(() => null), (name) => answer.headers.get(name));
}

function judged(status, body, headers) {
  if (status >= 400 || body?.success === false) throw new Refused(body?.success === false ? body.code : status, body, headers);
  return body;
}

/** Send one file, telling how far it is (0 to 1). { done: a promise of the upload, stop }. */
export function send(file, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", "/api/v1/files/upload/stream");
    request.setRequestHeader("Authorization", HEADERS.Authorization);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      try {
        resolve(judged(request.status, request.response, (name) => request.getResponseHeader(name)).data);
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () => reject(new Gone("upload"));
    request.onabort = () => reject(new Gone("stopped"));
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
  return { done, stop: () => request.abort() };
}

/** A link of this server as a path of it: a restart may have moved it, and it has more than one name. Else null. */
export function own(url) {
  try {
    const parts = new URL(url, location.href);
    const local = parts.host === location.host || /^(localhost|127\.[\d.]+|\[::1\])$/.test(parts.hostname);
    return local && parts.protocol === "http:" ? parts.pathname : null;
  } catch {
    return null;
  }
}
