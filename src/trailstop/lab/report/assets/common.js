"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const NOTHING = "–";
const THIN = "\u202f";

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Prices come as text and are shown with all their digits.
function price(text) {
  if (text === null || text === undefined) return NOTHING;
  const [whole, part] = String(text).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, THIN);
  return part === undefined ? grouped : `${grouped}.${part}`;
}

function number(value, places = 2) {
  if (value === null || value === undefined) return NOTHING;
  const fixed = Number(value).toFixed(places);
  // A tiny loss is no "−0.00".
  return price(Number(fixed) === 0 ? fixed.replace("-", "") : fixed).replace("-", "−");
}

function signed(value, places = 2) {
  if (value === null || value === undefined) return NOTHING;
  const text = number(value, places);
  return Number(value) > 0 && Number(Number(value).toFixed(places)) > 0 ? `+${text}` : text;
}

const percent = (value) => (value === null || value === undefined ? NOTHING : `${number(value)}${THIN}%`);
const change = (value) => (value === null || value === undefined ? NOTHING : `${signed(value)}${THIN}%`);
// What shows as 0.00 is neither gain nor loss.
const tone = (value) => (value >= 0.005 ? "gain" : value <= -0.005 ? "loss" : "");

function span(ms) {
  if (ms === null || ms === undefined) return NOTHING;
  if (ms === 0) return "0 s";
  if (ms < 10000) return `${number(ms, 0)} ms`;
  const seconds = Math.floor(ms / 1000), minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days > 1) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

// All times are UTC; pictures are told so by times that name no zone.
const moment = (ms) => (ms === null || ms === undefined ? NOTHING : new Date(ms).toISOString().slice(0, 19).replace("T", " "));
const instant = (ms) => new Date(ms).toISOString().slice(0, 23).replace("T", " ");

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function layout(more = {}) {
  const axis = { gridcolor: colour("line"), zerolinecolor: colour("quiet"), linecolor: colour("line"), automargin: true };
  const { xaxis = {}, yaxis = {}, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("ink"), family: "inherit", size: 12 },
    margin: { l: 50, r: 16, t: 10, b: 34 }, showlegend: false, hovermode: "closest",
    hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line"), font: { color: colour("ink") }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("quiet"), activecolor: colour("ink") },
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

const CHART = { responsive: true, displaylogo: false, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]] };

// Pictures take the colours of the page, which follow the system's light or dark setting.
const drawings = new Map();
function draw(id, make) {
  drawings.set(id, make);
  const target = document.getElementById(id);
  const { traces, shape } = make();
  Plotly.react(target, traces, layout(shape), CHART);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [id, make] of drawings) draw(id, make);
});
