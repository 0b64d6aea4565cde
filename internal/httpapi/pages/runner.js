// The API Runner: sends the operations of this page to the server that the page
// came from, and to no other. The token is in the memory of this page alone.
// Without one it asks for one at each call, by the reader's session in the
// console, and forgets it with the answer.

const token = document.getElementById("token");
for (const element of document.querySelectorAll("[data-scripted]")) element.hidden = false;

for (const button of document.querySelectorAll("[data-copies-page]")) {
  button.addEventListener("click", async () => {
    const answer = await fetch(button.dataset.copiesPage, { credentials: "omit" });
    await navigator.clipboard.writeText(await answer.text());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy page"; }, 1500);
  });
}

// Signing in fills in the token of a session of the reader's own.
document.getElementById("sign-in")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [email, password] = ["sign-in-email", "sign-in-password"].map((id) => document.getElementById(id));
  const says = document.getElementById("sign-in-answer");
  const body = new URLSearchParams({ grant_type: "password", username: email.value, password: password.value });
  try {
    const answer = await fetch("/v1/oauth2/login", { method: "POST", body, credentials: "omit", cache: "no-store", redirect: "error" });
    const read = await answer.json();
    if (answer.ok) {
      token.value = read.access_token;
      password.value = "";
    }
    says.textContent = answer.ok ? "Signed in: the runners send your access token now." : String(read.detail);
  } catch {
    says.textContent = "The server could not be reached.";
  }
});

// read returns what a field holds, or undefined when nothing is to be sent.
function read(field) {
  const text = field.value;
  if (text === "") return undefined;
  switch (field.dataset.kind) {
    case "integer": return /^-?\d+$/.test(text) ? Number(text) : text;
    case "boolean": return text === "true";
    case "lines": return text.split("\n").map((line) => line.trim()).filter(Boolean);
    case "object": return JSON.parse(text);
    default: return text;
  }
}

// collect returns the request of a runner as it stands in its form: the values
// by name, and the body as text.
function collect(runner) {
  const asked = { path: {}, query: {}, body: undefined, text: undefined, values: {} };
  const raw = runner.querySelector("[data-raw]");
  const isRaw = raw && runner.querySelector("input[value=raw]").checked;
  for (const field of runner.querySelectorAll("[data-in]")) {
    const value = read(field);
    const place = field.dataset.in;
    if (place === "body" && !isRaw) asked.body ??= {};
    if (value === undefined || (place === "body" && isRaw)) continue;
    asked[place][field.name] = value;
    asked.values[field.name] = value;
  }
  if (isRaw) {
    asked.text = raw.value;
    try {
      asked.body = JSON.parse(raw.value);
      Object.assign(asked.values, asked.body);
    } catch { /* the server says what is wrong with it */ }
  } else if (asked.body) {
    asked.text = "form" in runner.dataset ? new URLSearchParams(asked.body).toString() : JSON.stringify(asked.body);
  }
  return asked;
}

function address(runner, asked) {
  const path = runner.dataset.path.replace(/\{(\w+)\}/g, (_, name) => {
    const value = asked.path[name] ?? "";
    if (/^\.{0,2}$/.test(value)) throw new Error(`${name} is needed.`);
    return encodeURIComponent(value);
  });
  const query = new URLSearchParams(asked.query).toString();
  return path + (query && "?" + query);
}

// credential returns the token to send: what was pasted, or one that the console
// lends to who is signed in there; empty without either.
async function credential() {
  const pasted = token.value.trim();
  if (pasted) return pasted;
  const answer = await fetch("/session/token", { method: "POST", body: new URLSearchParams(), credentials: "same-origin", cache: "no-store", redirect: "manual" });
  return answer.ok ? (await answer.json()).access_token : "";
}

async function ask(runner, method, path, body, key) {
  const headers = { Accept: "application/json" };
  const bearer = "public" in runner.dataset ? "" : await credential();
  if (bearer) headers.Authorization = "Bearer " + bearer;
  if (body !== undefined) headers["Content-Type"] = "form" in runner.dataset ? "application/x-www-form-urlencoded" : "application/json";
  if (key) headers["Idempotency-Key"] = key;
  return fetch(path, { method, headers, body, credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" });
}

// sure asks a person before something is deleted: for the portal's name, which
// is asked of the server, or for its id where the token may not read the name.
async function sure(runner, asked) {
  if (!runner.dataset.confirm) return true;
  const dialog = document.getElementById("confirm");
  const [says, asks, input, button] = ["[data-says]", "[data-asks]", "input", ".danger"].map((s) => dialog.querySelector(s));
  asks.hidden = runner.dataset.confirm !== "portal";
  let name = "";
  let what = "name";
  if (!asks.hidden) {
    const id = asked.path.portal_id;
    const began = performance.now();
    const answer = await ask(runner, "GET", "/v1/portal/" + encodeURIComponent(id));
    if (answer.status === 403) {
      [name, what] = [id, "id"];
    } else if (!answer.ok) {
      await show(runner, answer, performance.now() - began);
      return false;
    } else {
      name = (await answer.json()).name;
    }
    asks.querySelector("label").textContent = `Type the portal's ${what}: ${name}`;
  }
  says.textContent = `${runner.dataset.method} ${address(runner, asked)} cannot be taken back.`;
  input.value = "";
  const check = () => { button.disabled = !asks.hidden && input.value.trim() !== name; };
  check();
  input.addEventListener("input", check);
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((closed) => { dialog.addEventListener("close", closed, { once: true }); });
  input.removeEventListener("input", check);
  return dialog.returnValue === "sure";
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text ?? "";
  return made;
}

const shownAtMost = 200_000;

// show puts an answer below the form. What it holds is only ever text.
async function show(runner, answer, took) {
  const text = await answer.text();
  let pretty = text;
  let read;
  try {
    read = JSON.parse(text);
    pretty = JSON.stringify(read, null, 2);
  } catch { /* no JSON: shown as it is */ }
  const place = runner.querySelector("[data-answer]");
  const line = element("p", "row");
  line.append(
    element("span", "chip " + (answer.ok ? "good" : "bad"), `${answer.status} ${answer.statusText}`.trim()),
    element("span", "", `${Math.round(took)} ms`),
    element("span", "quiet", "Request "),
    element("code", "", answer.headers.get("X-Request-Id") ?? "none"),
  );
  line.setAttribute("data-status", answer.status);
  const headers = element("details", "more");
  headers.append(element("summary", "", "Headers"), element("pre", "", [...answer.headers].map((h) => h.join(": ")).join("\n")));
  headers.lastChild.tabIndex = 0;
  const body = element("pre", "", pretty.slice(0, shownAtMost));
  body.tabIndex = 0;
  body.setAttribute("aria-label", "Body");
  place.replaceChildren(line, headers, body);
  if (pretty.length > shownAtMost) place.append(element("p", "quiet", `The first ${shownAtMost.toLocaleString("en")} characters are shown.`));
  if (answer.status === 401 && !token.value) place.append(element("p", "quiet", "Paste a token at the top of this page, sign in there, or sign in to the console first."));
  if (answer.ok && read?.access_token) {
    token.value = read.access_token;
    place.prepend(element("p", "", "The runners on this page now use this access token."));
  }
}

function fail(runner, message) {
  const line = element("p", "notice bad", message);
  line.setAttribute("role", "alert");
  runner.querySelector("[data-answer]").replaceChildren(line);
}

async function run(runner) {
  const button = runner.querySelector("form button.primary");
  button.disabled = true;
  try {
    const asked = collect(runner);
    const path = address(runner, asked);
    if (!(await sure(runner, asked))) return;
    const began = performance.now();
    const answer = await ask(runner, runner.dataset.method, path, asked.text, runner.querySelector("[data-key]")?.value);
    await show(runner, answer, performance.now() - began);
  } catch (error) {
    fail(runner, error instanceof TypeError ? "The server could not be reached." : error.message);
  } finally {
    button.disabled = false;
  }
}

// The samples follow the form. Their templates are filled as samples.go does.
const shellWord = (value) => {
  if (value === null) return "''";
  if (Array.isArray(value)) return value.map((item) => shellWord(item?.email ?? item)).join(" ");
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'";
};
const goFields = { email: "Email", first_name: "FirstName", last_name: "LastName" };
const goValue = (value) => {
  if (value === null) return "nil";
  if (Array.isArray(value)) {
    return value.map((item) => "{" + Object.entries(typeof item === "string" ? { email: item } : item ?? {})
      .filter(([name]) => goFields[name]).map(([name, part]) => `${goFields[name]}: ${goValue(part)}`).join(", ") + "}").join(", ");
  }
  return typeof value === "object" ? JSON.stringify(JSON.stringify(value)) : JSON.stringify(value);
};

function fill(template, values, quote, absent) {
  const placeholder = /\{(\w+)\}/g;
  return template
    .replace(/\[\[(.*?)\]\]/gs, (_, option) => (option.match(/\{(\w+)\}/)[1] in values ? option : ""))
    .replace(placeholder, (_, name) => (name in values ? quote(values[name]) : absent(name)));
}

function curl(runner, asked) {
  const { method, path } = runner.dataset;
  const shown = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(asked.path[name] ?? name.toUpperCase()));
  const query = new URLSearchParams(asked.query).toString();
  const parts = ["curl -s " + (method !== "GET" && (method !== "POST" || asked.text === undefined) ? `-X ${method} ` : "") + shellWord(location.origin + shown + (query && "?" + query))];
  if (!("public" in runner.dataset)) parts.push('-H "Authorization: Bearer $PORTICO_TOKEN"');
  const key = runner.querySelector("[data-key]")?.value;
  if (key) parts.push("-H " + shellWord("Idempotency-Key: " + key));
  if ("form" in runner.dataset) {
    for (const [name, value] of Object.entries(asked.body ?? {})) {
      const secret = runner.querySelector(`[name="${name}"]`).dataset.kind === "secret";
      parts.push("--data-urlencode " + shellWord(name + "=" + (secret ? "…" : value)));
    }
  } else if (asked.text !== undefined) {
    const shownBody = asked.body && Object.fromEntries(Object.entries(asked.body).map(([name, value]) =>
      [name, runner.querySelector(`[name="${name}"]`)?.dataset.kind === "secret" ? "…" : value]));
    parts.push("-H 'Content-Type: application/json'", "-d " + shellWord(shownBody ? JSON.stringify(shownBody) : asked.text));
  }
  return parts.join(" \\\n  ");
}

function sample(runner) {
  let asked;
  try {
    asked = collect(runner);
  } catch {
    return; // JSON that is being typed
  }
  for (const code of runner.querySelectorAll("[data-sample]")) {
    const { sample: kind, template } = code.dataset;
    if (kind === "curl") code.textContent = curl(runner, asked);
    if (kind === "Command line") code.textContent = fill(template, asked.values, shellWord, (name) => name.toUpperCase());
    if (kind === "Go") {
      code.textContent = fill(template, asked.values, goValue, (name) => (name.endsWith("_id") ? `"${name.toUpperCase()}"` : '""'))
        .replaceAll("client.Set(nil)", "client.Clear()").replaceAll("new(nil)", "nil");
    }
  }
}

for (const runner of document.querySelectorAll(".runner")) {
  const form = runner.querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(runner);
  });
  form.addEventListener("input", () => {
    for (const way of runner.querySelectorAll("[data-way]")) {
      way.hidden = way.dataset.way !== form.elements.way.value;
    }
    sample(runner);
  });
}
