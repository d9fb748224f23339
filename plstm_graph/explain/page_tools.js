"use strict";
// All text enters the page by textContent, so that no name can become markup.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function draw(parent, tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

const minus = (text) => text.replace("-", "−");
const number = (value) => (value === 0 ? "0" : minus(Number(value.toPrecision(3)).toString()));
const percent = (share) => minus((100 * share).toFixed(1)) + " %";
const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (rows) => rows[0].map((_, i) => sum(rows.map((row) => row[i])) / rows.length);
const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function tint(value, limit) {
  const share = limit > 0 ? Math.min(Math.abs(value) / limit, 1) : 0;
  const full = value > 0 ? [237, 110, 18] : [41, 112, 199];
  return "rgb(" + full.map((part) => Math.round(255 - share * (255 - part))).join(",") + ")";
}

function levelColor(level, levels) {
  const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98]];
  const place = levels > 1 ? (level / (levels - 1)) * (stops.length - 1) : 0;
  const low = Math.min(Math.floor(place), stops.length - 2);
  const mixed = stops[low].map((part, i) => Math.round(part + (place - low) * (stops[low + 1][i] - part)));
  return "rgb(" + mixed.join(",") + ")";
}

function table(title, heads, rows, foot, atoms = [], chosen = null) {
  const box = make("div", undefined, { class: "scroll", tabindex: "0", role: "region", "aria-label": title });
  const whole = make("table");
  const top = whole.createTHead().insertRow();
  for (const head of heads) top.append(make("th", head, { scope: "col" }));
  const body = whole.createTBody();
  rows.forEach((cells, i) => {
    const row = body.insertRow();
    if (i in atoms) row.dataset.row = atoms[i];
    if (chosen !== null && atoms[i] === chosen) row.className = "chosen";
    for (const cell of cells) row.insertCell().append(cell);
  });
  if (foot) {
    const row = whole.createTFoot().insertRow();
    for (const cell of foot) row.insertCell().append(cell);
  }
  box.append(whole);
  return [make("h3", title), box];
}
