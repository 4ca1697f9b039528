// What only the browser knows: whether pictures can be drawn by WebGL, which frame was shown, which key was pressed.
function hasWebGL() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return false;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return true;
}

function save(name, bytes) {
  const url = URL.createObjectURL(new Blob([bytes]));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// files of the visitor's own; too large ones would close the connection without a word, so only their size is told
function choose(model) {
  const { accept, most } = model.get("uploads");
  const input = Object.assign(document.createElement("input"), { type: "file", multiple: true, accept });
  input.addEventListener("change", async () => {
    const files = [...input.files];
    const size = files.reduce((sum, file) => sum + file.size, 0);
    const contents = size > most ? [] : await Promise.all(files.map((file) => file.arrayBuffer()));
    model.send({ uploaded: files.map((file) => file.name), size }, undefined, contents);
  });
  input.click();
}

// where Space has a meaning of its own
function pressing(target) {
  return target.closest?.("input, textarea, select, button, summary, a, [contenteditable=true]");
}

// where letters and digits are typed or choose something
function typing(target) {
  return target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable=true]");
}

// where Ctrl+Z already takes typed letters back
function writing(target) {
  return target.closest?.("input:not([type=checkbox]), textarea, [contenteditable=true]");
}

function named(event) {
  if (!event.ctrlKey && !event.metaKey) return event.key;
  return `ctrl+${event.shiftKey ? "shift+" : ""}${event.key.toLowerCase()}`;
}

// the parts of the page, for those who hear it
const PARTS = [
  [".pn-top", "banner", "Project and run"],
  [".pn-rail", "navigation", "Steps"],
  [".pn-main", "main", "Pictures"],
  [".pn-form", "form", "Parameters of the step"],
  [".pn-bot", "contentinfo", "Progress"],
];

function nameParts(root) {
  const page = document.body.dataset.voila !== undefined;
  for (const [part, role, name] of PARTS) {
    const found = root.querySelector(part);
    found?.setAttribute("role", page ? role : "region");
    found?.setAttribute("aria-label", name);
  }
}

// which of the steps is open; widgets tell it by a class
function markStep(root) {
  for (const step of root.querySelectorAll(".pn-step")) {
    const button = step.querySelector("button");
    if (step.classList.contains("cur")) button?.setAttribute("aria-current", "step");
    else button?.removeAttribute("aria-current");
  }
}

// a checkbox's tooltip is its label as written, tags and all
function mendTooltip({ target }) {
  const box = target.closest?.(".pn-root .widget-checkbox");
  const help = box?.querySelector(".pn-l")?.title;
  for (const part of box?.querySelectorAll("[title^='<']") ?? []) part.title = help ?? "";
}

// the parameter of the field that `target` belongs to; the form writes it as a class
function fieldOf(target) {
  return /\bpn-of-(\w+)/.exec(target.closest?.(".pn-field")?.className ?? "")?.[1];
}

function showKeys(root, pressed) {
  const keys = root?.querySelector(".pn-keys");
  if (!keys || !(pressed === "?" || (pressed === "Escape" && keys.open))) return false;
  keys.open = pressed === "?" && !keys.open;
  return true;
}

function render({ model, el }) {
  el.style.display = "none";
  const root = () => el.closest(".pn-root");
  // how large the pictures are and whether on dark ground: asked again when sizes or colours may have changed
  const look = () => {
    const here = root();
    if (!here || !here.clientWidth) return;
    const sides = [...here.querySelectorAll(".pn-pic")].map((pic) => pic.clientWidth);
    model.set("dark", getComputedStyle(here).colorScheme === "dark");
    model.set("side", Math.round(Math.max(0, ...sides) * devicePixelRatio));
    model.save_changes();
  };
  const message = (content, buffers) => {
    // two animation frames later, what came before this message has been painted
    if (content.frame !== undefined) {
      requestAnimationFrame(() => requestAnimationFrame(() => model.send({ shown: content.frame })));
      // sizes are known only once the pictures are there; asked rarely, since the browser has to lay out for it
      if (content.frame % 20 === 1) look();
    }
    if (content.download !== undefined) save(content.download, buffers[0]);
  };
  const key = (event) => {
    // on the page every key is ours; in a notebook only those pressed inside
    const ours = document.body.dataset.voila !== undefined || root()?.contains(event.target);
    const pressed = named(event);
    const taken = pressed.startsWith("ctrl+") ? writing : pressed === " " ? pressing : typing;
    if (!ours || event.altKey) return;
    if (pressed === "Escape" || !writing(event.target)) {
      if (showKeys(root(), pressed)) return event.preventDefault();
    }
    if (taken(event.target) || !model.get("hotkeys").includes(pressed)) return;
    event.preventDefault();
    model.send({ key: pressed });
  };
  const entered = ({ target }) => {
    const name = root()?.contains(target) && fieldOf(target);
    if (name) model.send({ focus: name });
  };
  const clicked = ({ target }) => {
    const name = root()?.contains(target) && target.closest?.("[data-pn-go]")?.dataset.pnGo;
    if (name) model.send({ go: name });
    if (root()?.contains(target) && target.closest?.("button.pn-upload")) choose(model);
  };
  const visible = () => document.hidden || model.send({ shown: -1 });
  const sized = new ResizeObserver(look);
  const themed = new MutationObserver(look);
  const system = matchMedia("(prefers-color-scheme: dark)");
  let gone = false;
  const stepped = new MutationObserver(() => root() && markStep(root()));
  const attach = () => {
    const here = root();
    if (!here) return gone || requestAnimationFrame(attach);
    sized.observe(here);
    nameParts(here);
    markStep(here);
    const rail = here.querySelector(".pn-rail");
    if (rail) stepped.observe(rail, { subtree: true, attributeFilter: ["class"] });
  };
  themed.observe(document.documentElement, { attributeFilter: ["data-pn-theme"] });
  themed.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  system.addEventListener("change", look);
  model.on("msg:custom", message);
  document.addEventListener("keydown", key);
  document.addEventListener("focusin", entered);
  document.addEventListener("click", clicked);
  document.addEventListener("pointerover", mendTooltip);
  document.addEventListener("visibilitychange", visible);
  model.set("webgl", hasWebGL());
  model.save_changes();
  attach();
  return () => {
    gone = true;
    sized.disconnect();
    themed.disconnect();
    stepped.disconnect();
    system.removeEventListener("change", look);
    model.off("msg:custom", message);
    document.removeEventListener("keydown", key);
    document.removeEventListener("focusin", entered);
    document.removeEventListener("click", clicked);
    document.removeEventListener("pointerover", mendTooltip);
    document.removeEventListener("visibilitychange", visible);
  };
}

export default { render };
