// Everything about a page that a reader, a keyboard or a screen reader would stumble over, as a list of sentences.
// Runs in the page; colours and sizes are those that the browser computed.
() => {
  const found = [];
  const seen = one => one.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const isClipped = one => { for (let at = one; at; at = at.parentElement) if (getComputedStyle(at).clipPath.startsWith("inset(50%")) return true; return false; };
  const name = one => {
    const text = (one.getAttribute("aria-label") || one.textContent || one.getAttribute("name") || "").trim();
    return `<${one.localName}${one.className && one.className.baseVal === undefined ? "." + [...one.classList].join(".") : ""}> ${text.replace(/\s+/g, " ").slice(0, 50)}`;
  };
  const all = (what, under = document) => [...under.querySelectorAll(what)];
  const byId = id => document.getElementById(id);

  // The frame.
  if (!document.documentElement.lang) found.push("no language");
  if (!document.title.trim()) found.push("no title");
  if (all("main").length !== 1) found.push(`${all("main").length} main parts`);
  if (all("h1").filter(seen).length !== 1) found.push(`${all("h1").filter(seen).length} headings of the first order`);
  let before = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6").filter(seen)) {
    const order = Number(heading.localName[1]);
    if (order > before + 1) found.push(`after a heading of order ${before}: ${name(heading)}`);
    if (!heading.textContent.trim()) found.push("an empty heading");
    before = order;
  }
  for (const one of all("nav")) if (!one.getAttribute("aria-label") && !one.getAttribute("aria-labelledby")) found.push("a navigation without a name");
  for (const one of all("body *")) {
    if (one.closest("main, header, footer, nav, .skip") || !one.textContent.trim() || ["script", "noscript"].includes(one.localName)) continue;
    if (!one.querySelector("main, header, footer, nav")) found.push(`outside of every landmark: ${name(one)}`);
  }

  // What refers to something else on the page.
  const ids = all("[id]").map(one => one.id);
  for (const id of new Set(ids)) if (ids.filter(one => one === id).length > 1) found.push(`the id ${id} stands ${ids.filter(one => one === id).length} times`);
  for (const attribute of ["for", "aria-labelledby", "aria-describedby", "aria-controls", "list", "headers"])
    for (const one of all(`[${attribute}]`))
      for (const id of one.getAttribute(attribute).split(/\s+/).filter(Boolean)) if (!byId(id)) found.push(`${attribute} of ${name(one)} means ${id}, which is not there`);
  for (const one of all("a[href^='#']")) if (one.hash.length > 1 && !byId(decodeURIComponent(one.hash.slice(1)))) found.push(`${one.hash} leads nowhere`);
  for (const one of all("[tabindex]")) if (one.tabIndex > 0) found.push(`out of turn: ${name(one)}`);

  // Forms, pictures, tables.
  for (const one of all("input:not([type=hidden]), select, textarea"))
    if (!one.labels.length && !one.getAttribute("aria-label") && !one.getAttribute("aria-labelledby")) found.push(`without a label: ${one.name}`);
  for (const one of all("img")) if (!one.hasAttribute("alt")) found.push(`a picture without words: ${one.src}`);
  for (const one of all("svg")) {
    if (one.closest("[aria-hidden=true]") || one.parentElement.closest("svg")) continue;
    const said = one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || (one.querySelector(":scope > title") || {}).textContent;
    if (one.getAttribute("role") !== "img") found.push(`a drawing that is neither role=img nor hidden: ${name(one)}`);
    else if (!said) found.push(`a drawing without words: ${name(one)}`);
  }
  for (const one of all("table").filter(seen)) {
    const heads = all("th", one);
    if (!heads.length) found.push(`a table without headings: ${name(one)}`);
    for (const head of heads) if (!head.textContent.trim() && !head.getAttribute("aria-label")) found.push(`an empty table heading beside ${name(one.querySelector("th"))}`);
  }
  for (const one of all("time")) {
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$/.test(one.getAttribute("datetime") || "")) found.push(`no time: ${one.outerHTML}`);
    if (!/\d\d:\d\d(:\d\d)? UTC$/.test(one.title)) found.push(`no UTC on hover: ${one.outerHTML}`);
  }
  for (const list of all("ul, ol")) for (const one of list.children) if (one.localName !== "li") found.push(`in a list and no item: ${name(one)}`);
  for (const list of all("dl")) for (const one of list.children) if (!["dt", "dd", "div"].includes(one.localName)) found.push(`in a list of facts: ${name(one)}`);
  if (location.pathname !== "/report") for (const one of all("[style], style")) found.push(`styled by hand: ${name(one)}`);
  for (const one of all("*")) for (const { name: attribute } of one.attributes) if (attribute.startsWith("on")) found.push(`${attribute} on ${name(one)}`);

  // Text: what was meant for programs, and contrast.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const colour = text => {
    if (!known.has(text)) {
      canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = rgb => { const [r, g, b] = rgb.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const canvasGround = matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
  const ground = one => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const own = at instanceof SVGElement && at.localName !== "svg" ? [0, 0, 0, 0] : colour(style.backgroundColor);
      if (own[3]) layers.unshift(own);
      if (own[3] === 1) break;
    }
    return layers.reduce((below, layer) => over(layer, below), canvasGround);
  };
  // What is drawn below a text of a drawing.
  const under = one => {
    const box = one.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    let at = ground(one);
    for (const shape of all("rect, circle, ellipse", one.ownerSVGElement)) {
      if (!(shape.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING) || shape.closest("clipPath, defs")) continue;
      const area = shape.getBoundingClientRect(), style = getComputedStyle(shape);
      if (style.fill === "none" || x < area.x || x > area.right || y < area.y || y > area.bottom) continue;
      const [r, g, b, a] = colour(style.fill);
      at = over([r, g, b, a * style.fillOpacity * style.opacity], at);
    }
    return at;
  };
  const opacity = one => { let all = 1; for (let at = one; at; at = at.parentElement) all *= getComputedStyle(at).opacity; return all; };
  const told = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), one = walker.currentNode.parentElement;
    if (!text || one.closest("script, style, noscript, template, datalist, title, desc, option") || !seen(one)) continue;
    if (/\b(undefined|NaN|Undefined)\b|\bNone$|\{\{|\}\}|&(amp|lt|gt|quot|#\d+);|datetime\.|<[\w.]+ object/.test(text) && !one.closest("code, pre, .foreign")) found.push(`raw: ${text.slice(0, 80)}`);
    if (/\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) && !one.closest("code, pre, textarea, .foreign, .hint")) found.push(`a time for programs: ${text.slice(0, 120)}`);
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    if (one.closest("[disabled]") || isClipped(one) || box.width <= 1 || box.right < 0) continue;
    const isDrawn = one instanceof SVGElement, behind = isDrawn ? under(one) : ground(one);
    let [r, g, b, a] = colour(isDrawn ? style.fill : style.color);
    const value = contrast(over([r, g, b, a * opacity(one)], behind).slice(0, 3), behind.slice(0, 3));
    const key = `${[...one.classList]} ${style.color} ${behind}`;
    if (value < 4.5 && !told.has(key)) { told.add(key); found.push(`contrast ${value.toFixed(2)}: ${name(one)} "${text.slice(0, 40)}"`); }
  }

  // Targets: 24 pixels, or as far from others; links in a sentence are as high as their line.
  const targets = all("a[href], button, input:not([type=hidden]), select, textarea, summary, label.check").filter(one => seen(one) && !isClipped(one) && !one.closest(".skip") && one.getBoundingClientRect().right > 0);
  const inSentence = one => {
    if (getComputedStyle(one).display !== "inline") return false;
    const block = one.closest("p, li, td, dd, th, span, div, footer, time");
    return block && block.textContent.trim().length > one.textContent.trim().length + 3;
  };
  const rects = targets.map(one => one.getBoundingClientRect());
  targets.forEach((one, index) => {
    const box = rects[index];
    if ((box.width >= 23.9 && box.height >= 23.9) || inSentence(one) || one.closest("label.check")) return;
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    rects.forEach((other, at) => {
      if (at === index || targets[at].contains(one) || one.contains(targets[at])) return;
      const dx = Math.max(other.x - x, 0, x - other.right), dy = Math.max(other.y - y, 0, y - other.bottom);
      if (Math.hypot(dx, dy) < 12) found.push(`a target of ${Math.round(box.width)}×${Math.round(box.height)}: ${name(one)}, too near to ${name(targets[at])}`);
    });
  });

  // Nothing sticks out.
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    const wide = all("body *").filter(one => one.getBoundingClientRect().right > width + .5 && !one.closest(".scroll, pre, [class*=scroll]"));
    found.push(`${document.documentElement.scrollWidth - width} pixels too wide: ${wide.slice(0, 4).map(name).join(" · ")}`);
  }
  for (const one of all("img[src='x']")) found.push("a name has become markup");
  if (window.hacked) found.push("a name has run");
  return [...new Set(found)];
}
