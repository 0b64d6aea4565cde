// What pages may ask for by attributes. A page works without any of it.

// data-copy: copies the text of the element that it names, or of its figure's code.
async function copy(button) {
  const source = button.dataset.copy
    ? document.getElementById(button.dataset.copy)
    : button.closest("figure").querySelector("code");
  const was = button.textContent;
  try {
    await navigator.clipboard.writeText("value" in source ? source.value : source.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C";
    getSelection().selectAllChildren(source);
  }
  setTimeout(() => { button.textContent = was; }, 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-opens], [data-closes]");
  if (!button) return;
  if ("copy" in button.dataset) copy(button);
  // data-opens: shows a dialog by its id instead of following the link.
  if (button.dataset.opens) {
    event.preventDefault();
    document.getElementById(button.dataset.opens).showModal();
  }
  // data-closes: closes the dialog around it.
  if ("closes" in button.dataset) button.closest("dialog").close();
});

// data-match: a button is usable once the field of its form that is named
// data-match-in holds this text. The server asks again.
function match(form) {
  for (const button of form.querySelectorAll("[data-match]")) {
    button.disabled = form.elements[button.dataset.matchIn].value.trim() !== button.dataset.match;
  }
}
document.addEventListener("input", (event) => { if (event.target.form) match(event.target.form); });

// fetched returns the element with this id of a page of ours, or null.
async function fetched(address, id) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok || new URL(answer.url).pathname !== new URL(address, location).pathname) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
}

// data-live="id": a search form renews that element while somebody types.
let waiting;
let asked = 0;
for (const form of document.querySelectorAll("form[data-live]")) {
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const address = new URL(form.action);
      address.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();
      const mine = ++asked;
      const fresh = await fetched(address, form.dataset.live).catch(() => null);
      if (mine !== asked || !fresh) return;
      document.getElementById(form.dataset.live).replaceWith(fresh);
      ready(fresh);
      history.replaceState(null, "", address);
    }, 200);
  });
}

// data-poll="milliseconds": an element with an id renews itself as long as the
// server writes the attribute.
function poll(element) {
  const each = Number(element.dataset.poll);
  if (!each) return;
  setTimeout(async () => {
    const fresh = document.hidden ? null : await fetched(location.href, element.id).catch(() => null);
    if (!element.isConnected) return;
    if (!fresh) return poll(element);
    element.replaceWith(fresh);
    ready(fresh);
  }, each);
}

// ready gives life to what was just shown.
function ready(root) {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  for (const form of root.querySelectorAll("form")) match(form);
  for (const element of root.querySelectorAll("[data-poll]")) poll(element);
  if (root.dataset?.poll) poll(root);
}
ready(document);

// An open menu closes when the page outside it is used, or with Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.account[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.account[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});
