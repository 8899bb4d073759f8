// Puts strings into the page as text: nothing here turns a string into markup.

export const $ = (id) => document.getElementById(id);

// Changes the page only if the text differs, so that a selection or a reader's place stays.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
  return element;
}

export function make(tag, attributes = {}, ...children) {
  const element = set(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

// A foreign name: one that is written from right to left leaves what is around it in its order.
export const named = (name) => make("bdi", {}, name);

// A link to the page of a target.
export function targetLink(target, root) {
  return make("a", { href: `${root}targets/${encodeURIComponent(target)}` }, target);
}

// Shows items in one line, or that there is none; nothing is touched while they are the same.
export function listed(parent, items, create, none = "") {
  const key = JSON.stringify(items);
  if (parent.listed === key) return;
  parent.listed = key;
  parent.replaceChildren(...items.flatMap((item, index) => (index ? [", ", create(item)] : [create(item)])));
  if (!items.length) parent.append(none);
}

export function makeSvg(tag, attributes = {}, ...children) {
  const element = set(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes);
  element.append(...children);
  return element;
}

// Shows items as children of parent, in their order; the element of an item stays the same one.
export function keyed(parent, items, keyOf, create, update) {
  const elements = (parent.elementOfKey ??= new Map());
  const keys = new Set(items.map(keyOf));
  for (const [key, element] of elements) {
    if (!keys.has(key)) {
      element.remove();
      elements.delete(key);
    }
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = elements.get(key);
    if (!element) {
      element = create(item);
      elements.set(key, element);
    }
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
    update(element, item);
  }
}
