// The REST API as the pages use it.

/** A refusal: `message` is a sentence for the person, `field` the part of the form it is about ("" for none). */
export class Refusal extends Error {
  constructor(problem, status) {
    super(problem.detail ?? problem.title ?? "Something went wrong here. Try again in a moment.");
    this.field = problem.field ?? "";
    this.status = status;
  }
}

async function call(method, path, { body, headers } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { Accept: "application/json", ...(body && { "Content-Type": "application/json" }), ...headers },
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new Refusal({ detail: "The studio cannot be reached: check the connection and try again." }, 0);
  }
  const record = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(record, answer.status);
  return record;
}

/** One key for one wish: sent again after a lost answer, it gives the same riff. */
export function wishKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const placeRiff = (wish, key) => call("POST", "/v1/riffs", { body: wish, headers: { "Idempotency-Key": key } });
export const getRiff = (id) => call("GET", `/v1/riffs/${id}`);
export const cancelRiff = (id) => call("DELETE", `/v1/riffs/${id}`);
