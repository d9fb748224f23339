// One molecule of the page; what it draws with is in page_tools.js, which stands before it in the same script.

class Molecule {
  constructor(section) {
    this.section = section;
    this.data = JSON.parse(section.querySelector('script[type="application/json"]').textContent);
    this.circles = [...section.querySelectorAll("[data-atom]")];
    this.lines = [...section.querySelectorAll("[data-bond]")];
    this.pinned = this.pointed = this.partner = null;
    this.target = 0;
    this.call = 0;
    this.head = -1;
    this.step = Infinity;
    this.choices();
    this.listen();
    this.show();
    this.showDag();
  }

  part(name) { return this.section.querySelector(`[data-part="${name}"]`); }
  choice(name) { return this.section.querySelector(`[data-choice="${name}"]`); }
  label(atom) { return this.data.labels[atom]; }
  get layer() { return this.data.layers[this.call]; }
  get atom() { return this.pointed ?? this.pinned; }

  choices() {
    const fill = (name, entries, chosen) => {
      this.choice(name).replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
      this.choice(name).value = chosen;
    };
    const layers = this.data.layers;
    const numbers = [...new Set(layers.map((found) => found.layer))];
    const modeOf = (n) => layers.find((found) => found.layer === n).mode;
    const here = layers.map((found, i) => [i, found]).filter(([, found]) => found.layer === this.layer.layer);
    fill("target", this.data.targets.map((name, i) => [i, name]), this.target);
    fill("layer", numbers.map((n) => [n, `${n + 1} (${modeOf(n)}-mode)`]), this.layer.layer);
    fill("direction", here.map(([i, found]) => [i, found.reverse ? "backward" : "forward"]), this.call);
    fill("head", [[-1, "all"], ...this.layer.direct.map((_, h) => [h, `${h + 1}`])], this.head);
  }

  listen() {
    this.circles.forEach((circle, atom) => {
      circle.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") this.point(atom); });
      circle.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") this.point(null); });
      circle.addEventListener("focus", () => { if (circle.matches(":focus-visible")) this.point(atom); });
      circle.addEventListener("blur", (event) => this.leave(event));
      circle.addEventListener("click", () => this.pin(atom));
      circle.addEventListener("keydown", (event) => this.key(event, atom));
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") this.release(); });
    this.section.querySelector('[data-action="release"]').addEventListener("click", () => this.release());
    const on = (name, change) => this.choice(name).addEventListener("input", (event) => change(Number(event.target.value)));
    on("target", (value) => { this.target = value; this.show(); });
    on("head", (value) => { this.head = value; this.show(); });
    on("direction", (value) => this.turn(value));
    on("layer", (value) => {
      const same = this.data.layers.findIndex((f) => f.layer === value && f.reverse === this.layer.reverse);
      this.turn(same >= 0 ? same : this.data.layers.findIndex((found) => found.layer === value));
    });
    on("step", (value) => { this.step = value; this.showDag(); });
    const tables = this.part("tables");
    tables.addEventListener("pointerover", (event) => this.ring(event.target.closest("tr")?.dataset.row));
    tables.addEventListener("pointerleave", () => this.ring());
    tables.addEventListener("focusout", (event) => this.leave(event));
  }

  turn(call) {
    this.call = call;
    this.step = Infinity;
    this.choices();
    this.show();
    this.showDag();
  }

  key(event, atom) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (event.key === "Enter" || event.key === " ") this.pin(atom);
    else if (event.key in steps) {
      const next = (atom + steps[event.key] + this.circles.length) % this.circles.length;
      this.circles[atom].tabIndex = -1;
      this.circles[next].tabIndex = 0;
      this.circles[next].focus({ focusVisible: true });
    } else return;
    event.preventDefault();
  }

  point(atom) {
    const before = this.atom;
    this.pointed = atom;
    if (this.atom !== before) this.show();
  }

  // The tables of an atom stay while the keyboard is in them.
  leave(event) {
    if (!this.part("tables").contains(event.relatedTarget)) this.point(null);
  }

  // Where the atom of a table row is.
  ring(atom) {
    this.circles.forEach((circle, i) => circle.classList.toggle("ringed", String(i) === atom));
  }

  pin(atom) {
    this.pinned = this.pinned === atom ? null : atom;
    if (this.pinned === null) this.pointed = null;
    this.partner = null;
    this.show();
  }

  release() {
    this.pinned = this.pointed = this.partner = null;
    this.show();
  }

  // Rows of one atom in the chosen head, or their mean over all heads.
  row(name) {
    const rows = this.layer[name].map((head) => head[this.atom]);
    if (this.head >= 0) return rows[this.head];
    return Array.isArray(rows[0]) ? mean(rows) : sum(rows) / rows.length;
  }

  show() {
    this.ring();
    const atom = this.atom;
    this.circles.forEach((circle, i) => {
      circle.classList.toggle("active", i === atom);
      circle.setAttribute("aria-pressed", i === this.pinned);
    });
    this.section.querySelector('[data-action="release"]').disabled = this.pinned === null;
    if (atom === null) this.showPrediction();
    else this.showAtom();
  }

  paint(atoms, bonds, limit, scale) {
    this.circles.forEach((circle, i) => circle.setAttribute("fill", tint(atoms[i], limit)));
    this.lines.forEach((line, i) => { line.style.stroke = tint(bonds[i] ?? 0, limit); });
    this.part("scale").textContent = scale;
  }

  showPrediction() {
    const { blanked, gradient, targets, unit, output } = this.data;
    const values = blanked[this.target];
    const limit = largest(values);
    this.paint(values, [], limit, `−${number(limit)} to +${number(limit)} added to ${targets[this.target]}, ${unit}`);
    const order = values.map((_, i) => i).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]));
    const [most] = order;
    this.part("status").textContent =
      `Added to ${targets[this.target]} (${number(output[this.target])} ${unit}): ` +
      `most by ${this.label(most)}, ${number(values[most])}. Choose an atom to see which atoms it hears.`;
    const rows = order.map((i) => [this.label(i), number(values[i]), number(gradient[this.target][i])]);
    this.part("tables").replaceChildren(
      ...table(`Added to ${targets[this.target]} by each atom`, ["Atom", "Blanked (exact)", "First order"], rows, null,
        order),
      make("p", `In ${unit}. Differences of predictions: they need not add up.`, { class: "checks" }),
    );
  }

  showAtom() {
    const atom = this.atom;
    const share = this.row("share");
    const through = this.row("edgeShare");
    const bonds = [];
    this.layer.bond.forEach((bond, edge) => { bonds[bond] = through[edge]; });
    // an atom hears mostly itself, next to which all others would look white
    const limit = largest([...share.filter((_, i) => i !== atom), ...through]) || largest(share);
    const where = `layer ${this.layer.layer + 1}, ${this.layer.reverse ? "backward" : "forward"}, ` +
      (this.head < 0 ? "all heads" : `head ${this.head + 1}`);
    this.paint(share, bonds, limit, `−${percent(limit)} to +${percent(limit)} of what ${this.label(atom)} hears; ` +
      `${percent(share[atom])} of itself`);
    const heard = share.map((_, i) => i).filter((i) => share[i] !== 0);
    heard.sort((a, b) => Math.abs(share[b]) - Math.abs(share[a]));
    const others = heard.filter((i) => i !== atom);
    this.part("status").textContent = `${this.label(atom)} in ${where}: ` + (others.length
      ? `hears ${others.length} other atom${others.length > 1 ? "s" : ""}, most from ` +
        others.slice(0, 3).map((i) => `${this.label(i)} (${percent(share[i])})`).join(", ") + "."
      : "hears no other atom, since no arrow of this direction leads to it.");
    this.part("tables").replaceChildren(
      ...this.heardTable(heard, share), ...this.bondTable(through), ...this.pathTable(), this.checks(),
    );
  }

  heardTable(heard, share) {
    const title = `Heard by ${this.label(this.atom)}`;
    const total = percent(sum(heard.map((i) => share[i])));
    if (this.head < 0) {
      const rows = heard.map((i) => [this.label(i), percent(share[i])]);
      return table(title, ["From", "Share"], rows, ["Sum", total], heard);
    }
    const { gating, match, length } = this.layer;
    const [h, n] = [this.head, this.atom];
    const rows = heard.map((i) => {
      const [weight, fit, size] = [gating[h][n][i], match[h][n][i], length[h][i]];
      const all = [weight, fit, size, Math.abs(weight * fit) * size].map(number);
      return [this.partnerButton(i), percent(share[i]), ...all];
    });
    const heads = ["From", "Share", "G", "q·k", "‖v‖", "Size"];
    return table(title, heads, rows, ["Sum", total, "", "", "", ""], heard, this.partner);
  }

  partnerButton(i) {
    const { edges } = this.layer;
    if (!edges.some(([tail]) => tail === i) || i === this.atom) return this.label(i);
    const button = make("button", this.label(i), { type: "button", "data-partner": i });
    button.setAttribute("aria-label", `Paths from ${this.label(i)}`);
    button.addEventListener("click", () => {
      this.pinned = this.atom;
      this.partner = i;
      this.show();
      this.section.querySelector(`[data-partner="${i}"]`).focus();
    });
    return button;
  }

  arrow(edge) {
    const [tail, head] = this.layer.edges[edge];
    return `${this.label(tail)}→${this.label(head)}`;
  }

  bondTable(through) {
    const { edges, mark } = this.layer;
    const into = edges.map((_, e) => e).filter((e) => edges[e][1] === this.atom);
    const own = this.row("directShare");
    const gate = (values) => (this.head < 0 ? [] : [number(values[this.head])]);
    const rows = into.map((e) => [this.arrow(e), ...gate(mark.map((head) => head[e])), percent(through[e])]);
    rows.push(["itself", ...gate(this.layer.direct.map((head) => head[this.atom])), percent(own)]);
    const heads = ["Over", ...(this.head < 0 ? [] : ["Mark, direct"]), "Share"];
    const total = percent(sum(into.map((e) => through[e])) + own);
    return table(`Arriving at ${this.label(this.atom)}`, heads, rows, ["Sum", ...(this.head < 0 ? [] : [""]), total]);
  }

  pathTable() {
    if (this.head < 0) return [make("p", "Choose one head to see weights, and paths bond by bond.", { class: "checks" })];
    const from = this.partner;
    if (from === null) return [make("p", "Choose an atom in the first table to see its paths.", { class: "checks" })];
    const { edges, paths, gating } = this.layer;
    const rows = [];
    edges.forEach(([, end], last) => edges.forEach(([start], first) => {
      const weight = paths[this.head][last][first];
      if (end === this.atom && start === from && weight !== 0) rows.push([first, last, weight]);
    }));
    rows.sort((a, b) => Math.abs(b[2]) - Math.abs(a[2]));
    const total = sum(rows.map(([, , weight]) => weight));
    const cells = rows.map(([first, last, weight]) => [this.arrow(first), this.arrow(last), number(weight)]);
    const expected = gating[this.head][this.atom][from];
    const holds = Math.abs(total - expected) <= 1e-4 * Math.max(largest(rows.map((row) => row[2])), Math.abs(expected));
    return [
      ...table(`Paths from ${this.label(from)} to ${this.label(this.atom)}`, ["First bond", "Last bond", "Weight"], cells,
        ["Sum", "", number(total)]),
      make("p", `G is ${number(expected)}: ${holds ? "the sum agrees." : "the sum differs."}`,
        { class: holds ? "checks" : "checks bad" }),
    ];
  }

  checks() {
    const { residual } = this.layer;
    const text = "The contributions of all atoms add up to the output of this layer up to " +
      `${number(residual)} of its largest value.`;
    return make("p", text, { class: residual < 1e-3 ? "checks" : "checks bad" });
  }

  showDag() {
    const { points, symbols, radius } = this.data;
    const { edges, level, lines, mode } = this.layer;
    const levels = level.length ? Math.max(...level) + 1 : 0;
    const range = this.choice("step");
    range.max = levels;
    range.value = Math.min(this.step, levels);
    range.disabled = levels === 0;
    const svg = this.part("dag");
    svg.replaceChildren();
    const reach = 0.62 * radius;
    edges.forEach(([tail, head], e) => {
      const group = draw(svg, "g", { class: level[e] > this.step ? "later" : "done" });
      this.drawArrow(group, points[tail], points[head], reach, levelColor(level[e], levels),
        level[e] === this.step ? 5 : 2.5, level[e]);
    });
    points.forEach(([x, y], i) => {
      draw(svg, "circle", { cx: x, cy: y, r: reach, fill: "#fff", stroke: "#5b6675" });
      draw(svg, "text", { x, y, fill: "#1c2430" }, symbols[i]);
    });
    this.part("step").textContent = this.step >= levels ? `all ${levels}` : `level ${this.step} (0 to ${levels - 1})`;
    this.part("dag-note").textContent = mode === "D"
      ? `D-mode keeps ${lines[0]} of ${lines[1]} line edges.` : `P-mode uses all ${lines[1]} line edges.`;
  }

  drawArrow(group, [x, y], [u, v], reach, color, width, text) {
    const length = Math.hypot(u - x, v - y) || 1;
    const [a, b] = [(u - x) / length, (v - y) / length];
    const tip = [u - a * (reach + 1), v - b * (reach + 1)];
    const neck = [tip[0] - 8 * a, tip[1] - 8 * b];
    draw(group, "line", { x1: x + a * reach, y1: y + b * reach, x2: neck[0], y2: neck[1], stroke: color, "stroke-width": width });
    const corners = [tip, [neck[0] - 5 * b, neck[1] + 5 * a], [neck[0] + 5 * b, neck[1] - 5 * a]];
    draw(group, "polygon", { points: corners.map((corner) => corner.join(",")).join(" "), fill: color });
    draw(group, "text", { x: (x + u) / 2 - 9 * b, y: (y + v) / 2 + 9 * a, fill: color }, text);
  }
}

for (const section of document.querySelectorAll("section.molecule")) new Molecule(section);
