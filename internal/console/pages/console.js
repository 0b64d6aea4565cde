// What the console's own pages add; each works without it.

for (const button of document.querySelectorAll("[data-without-script]")) button.hidden = true;

// data-preview: the form's address shows, while a name is typed, what it leads to.
for (const form of document.querySelectorAll("form[data-preview]")) {
  let waiting;
  let asked = 0;
  form.elements.name.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const mine = ++asked;
      const query = new URLSearchParams({ name: form.elements.name.value });
      const answer = await fetch(`${form.dataset.preview}?${query}`).catch(() => null);
      if (!answer?.ok || answer.redirected || mine !== asked) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("preview");
      if (fresh && mine === asked) document.getElementById("preview").replaceChildren(...fresh.childNodes);
    }, 150);
  });
}

// data-drop="id": a file that is dropped or picked becomes the text of that
// field, to be looked at and changed before it is sent.
async function take(file, field, input) {
  if (!file || file.size > 4 << 20) return; // it goes as a file
  const bytes = await file.arrayBuffer();
  try {
    field.value = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    field.value = new TextDecoder("windows-1252").decode(bytes); // as spreadsheets save it
  }
  input.value = "";
  field.focus();
  field.setSelectionRange(0, 0);
}
for (const place of document.querySelectorAll("[data-drop]")) {
  const field = document.getElementById(place.dataset.drop);
  const input = place.querySelector("input");
  input.addEventListener("change", () => take(input.files[0], field, input));
  for (const target of [place, field]) {
    target.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("over"); });
    target.addEventListener("dragleave", () => place.classList.remove("over"));
    target.addEventListener("drop", (event) => {
      const file = event.dataTransfer.files[0];
      place.classList.remove("over");
      if (!file) return; // text that is dragged is dropped as text
      event.preventDefault();
      take(file, field, input);
    });
  }
}
