// Elements of the page. What is shown is text, never markup: names come from files and models.

/** The element of an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A new element; `text`, `class` and `on` (events) beside its attributes. */
export function element(kind, { text, on = {}, ...attributes } = {}, children = []) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  for (const [name, does] of Object.entries(on)) made.addEventListener(name, does);
  made.append(...children);
  return made;
}

/** A small square of a colour. */
export function swatch(colour) {
  const made = element("span", { class: "swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}
