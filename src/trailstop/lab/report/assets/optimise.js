function cells(heads, rows) {
  return element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map(([text, kind]) => element("th", { text, class: kind })))),
    element("tbody", {}, ...rows.map((row) => element("tr", {},
      ...row.map((text, place) => element("td", { text, class: heads[place][1] }))))));
}

const day = (ms) => moment(ms).slice(0, 10);
const mean = (value) => (value === null ? NOTHING : `${signed(value, 3)}${THIN}%`);

draw("equity", () => {
  const times = DATA.equity.map((point) => instant(point[0]));
  const curve = (place, name, hue) => ({
    x: times, y: DATA.equity.map((point) => point[place]), name, mode: "lines",
    line: { color: colour(hue), width: 2, shape: "hv" }, hovertemplate: `%{x}<br>${name} %{y:.2f} %<extra></extra>`,
  });
  const edges = DATA.folds.slice(1).map((fold) => ({
    type: "line", yref: "paper", y0: 0, y1: 1, x0: instant(fold.from_ms), x1: instant(fold.from_ms),
    line: { color: colour("quiet"), width: 1, dash: "dot" },
  }));
  return {
    traces: [curve(1, "chosen", "accent"), curve(2, "default", "price")],
    shape: { shapes: edges, showlegend: true, legend: { orientation: "h", y: -0.15 }, xaxis: { type: "date" }, yaxis: { ticksuffix: " %" } },
  };
});

document.getElementById("folds").append(cells(
  [["fold", ""], ["tested from", "text"], ["until", "text"], ["chosen", "text"], ["positions", ""], ["in sample", ""], ["out of sample", ""], ["default", ""], ["neighbours", ""]],
  DATA.folds.map((fold) => [
    String(fold.number), day(fold.from_ms), day(fold.until_ms), fold.choice, number(fold.out_of_sample.trades, 0),
    mean(fold.in_sample.mean_net_percent), mean(fold.out_of_sample.mean_net_percent), mean(fold.default_out.mean_net_percent),
    `${mean(fold.surroundings.neighbours_mean)}${fold.surroundings.is_island ? " ISLAND" : ""}`,
  ])));

document.getElementById("sums").append(cells(
  [["", "text"], ["positions", ""], ["mean", ""], ["sum", ""], ["winners", ""], ["worst", ""], ["deepest fall", ""]],
  DATA.sums.map(([name, score]) => [
    name, number(score.trades, 0), mean(score.mean_net_percent), change(score.sum_net_percent), percent(score.win_percent),
    change(score.worst_net_percent), percent(score.max_drawdown_percent),
  ])));
