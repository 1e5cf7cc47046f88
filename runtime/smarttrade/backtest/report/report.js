// Cross-hair and zoom of the charts, sorting of the tables. The page reads well without it.
"use strict";
(() => {
  const WIDTH = 1e6, HEIGHT = 1e5;
  const main = document.querySelector("main");
  const start = Number(main.dataset.start), end = Number(main.dataset.end);
  const whole = { from: 0, to: WIDTH };
  let shown = whole;

  const timeAt = (x) => start + (x / WIDTH) * (end - start);
  const pad = (number) => String(number).padStart(2, "0");

  // A path is "m x y dx dy dx dy ...", with what closes an area after a V.
  function readPoints(path) {
    const numbers = path.getAttribute("d").slice(1).split("V")[0].split(" ").map(Number);
    const xs = new Float64Array(numbers.length / 2), ys = new Float64Array(numbers.length / 2);
    let x = 0, y = 0;
    for (let n = 0; n < xs.length; n++) {
      xs[n] = x += numbers[2 * n];
      ys[n] = y += numbers[2 * n + 1];
    }
    return { xs, ys };
  }

  function nearest(xs, x) {
    let low = 0, high = xs.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle + 1; else high = middle;
    }
    return low > 0 && x - xs[low - 1] < xs[low] - x ? low - 1 : low;
  }

  const decimals = (span) => (span > 0 ? Math.max(0, Math.min(10, 1 - Math.floor(Math.log10(span)))) : 2);

  function label(value, kind, span) {
    if (kind === "count" && !Number.isInteger(value)) return "";
    const places = kind === "count" ? 0 : decimals(kind === "percent" ? span * 100 : span);
    const written = (kind === "percent" ? value * 100 : value).toLocaleString("en", {
      minimumFractionDigits: places, maximumFractionDigits: places,
    });
    return kind === "percent" ? written + "%" : written;
  }

  function valueTicks(low, high, count) {
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    const ticks = [];
    for (let n = Math.ceil(low / step); n * step <= high + step * 1e-9; n++) ticks.push(n * step);
    return ticks;
  }

  const MINUTE = 6e4, HOUR = 36e5, DAY = 864e5;
  const STEPS = [
    ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
    ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
    ...[1, 2, 4, 7, 14].map((n) => n * DAY),
  ];
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  function timeTicks(from, to, count) {
    const rough = (to - from) / count, step = STEPS.find((each) => each >= rough), ticks = [];
    if (step) {
      for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
        const at = new Date(time);
        const day = `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
        ticks.push([time, time % DAY === 0 || step >= DAY ? day : `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`]);
      }
      return ticks;
    }
    const every = [1, 2, 3, 6, 12, 24, 60].find((n) => n * 30.4 * DAY >= rough) || 60;
    const begin = new Date(from);
    let month = begin.getUTCFullYear() * 12 + begin.getUTCMonth();
    month += (every - (month % every)) % every;
    for (; ; month += every) {
      const time = Date.UTC(Math.floor(month / 12), month % 12, 1);
      if (time > to) return ticks;
      if (time >= from) ticks.push([time, `${MONTHS[month % 12]} ${Math.floor(month / 12)}`]);
    }
  }

  const charts = [...document.querySelectorAll("figure.chart")].map((figure) => {
    const { kind, unit, low, high, base } = figure.dataset;
    const find = (selector) => figure.querySelector(selector);
    const chart = {
      kind, unit, low: Number(low), high: Number(high), base: base === undefined ? null : Number(base),
      plot: find(".plot"), svg: find("svg"), output: find("output"), cursor: find(".cursor"),
      values: find(".values"), times: find(".times"), ...readPoints(find(".series")),
    };
    chart.valueAt = (y) => chart.high - (y / HEIGHT) * (chart.high - chart.low);
    return chart;
  });

  function visible(chart) {
    let top = Infinity, bottom = -Infinity;
    for (let n = 0; n < chart.xs.length; n++) {
      if (chart.xs[n] < shown.from || chart.xs[n] > shown.to) continue;
      top = Math.min(top, chart.ys[n]);
      bottom = Math.max(bottom, chart.ys[n]);
    }
    if (shown === whole || !(bottom > top)) return [0, HEIGHT];
    const room = (bottom - top) * 0.08;
    const base = chart.base === null ? null : ((chart.high - chart.base) / (chart.high - chart.low)) * HEIGHT;
    return [base === 0 ? 0 : top - room, base === HEIGHT ? HEIGHT : bottom + room];
  }

  function draw(chart) {
    const [top, bottom] = visible(chart), width = shown.to - shown.from;
    chart.svg.setAttribute("viewBox", `${shown.from} ${top} ${width} ${bottom - top}`);
    const high = chart.valueAt(top), low = chart.valueAt(bottom);
    const rows = valueTicks(low, high, Math.max(2, Math.floor(chart.plot.clientHeight / 50)));
    chart.values.replaceChildren(...rows.map((value) => {
      const line = document.createElement("span"), text = document.createElement("b");
      text.textContent = label(value, chart.kind, high - low);
      line.style.top = `${((high - value) / (high - low)) * 100}%`;
      line.append(text);
      return line;
    }));
    const from = timeAt(shown.from), to = timeAt(shown.to);
    chart.times.replaceChildren(...timeTicks(from, to, Math.max(3, Math.floor(chart.plot.clientWidth / 120))).map(([time, text]) => {
      const mark = document.createElement("span");
      mark.textContent = text;
      mark.style.left = `${((time - from) / (to - from)) * 100}%`;
      return mark;
    }));
  }

  function zoom(from, to) {
    shown = to - from > 20 ? { from, to } : whole;
    charts.forEach(draw);
  }

  function point(x) {
    const at = new Date(timeAt(x));
    const time = `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())} ${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
    for (const chart of charts) {
      const value = chart.valueAt(chart.ys[nearest(chart.xs, x)]);
      chart.cursor.style.left = `${((x - shown.from) / (shown.to - shown.from)) * 100}%`;
      chart.cursor.style.display = "block";
      chart.output.textContent = `${time} · ${label(value, chart.kind, (chart.high - chart.low) / 20)} ${chart.unit}`;
    }
  }

  function leave() {
    for (const chart of charts) {
      chart.cursor.style.display = "none";
      chart.output.textContent = shown === whole ? "" : "double click: the whole span";
    }
  }

  for (const chart of charts) {
    let pressed = null, box = null;
    const locate = (event) => {
      const { left, width } = chart.plot.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, (event.clientX - left) / width));
      return shown.from + share * (shown.to - shown.from);
    };
    const finish = (event) => {
      if (pressed !== null && box) zoom(...[pressed, locate(event)].sort((a, b) => a - b));
      box?.remove();
      pressed = box = null;
    };
    chart.plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      pressed = locate(event);
      chart.plot.setPointerCapture(event.pointerId);
    });
    chart.plot.addEventListener("pointermove", (event) => {
      const x = locate(event);
      point(x);
      if (pressed === null) return;
      const [from, to] = [pressed, x].sort((a, b) => a - b), width = shown.to - shown.from;
      if (!box && to - from < width / 100) return;
      if (!box) {
        box = document.createElement("i");
        box.className = "chosen";
        chart.plot.append(box);
      }
      box.style.left = `${((from - shown.from) / width) * 100}%`;
      box.style.width = `${((to - from) / width) * 100}%`;
    });
    chart.plot.addEventListener("pointerup", finish);
    chart.plot.addEventListener("pointercancel", () => { box?.remove(); pressed = box = null; });
    chart.plot.addEventListener("pointerleave", leave);
    chart.plot.addEventListener("dblclick", () => zoom(0, 0));
  }
  addEventListener("resize", () => charts.forEach(draw));
  for (const part of document.querySelectorAll("details")) {
    part.addEventListener("toggle", () => charts.forEach(draw));
  }
  charts.forEach(draw);

  const sortable = (text) => {
    const number = Number(text.replace(/[,%+]/g, ""));
    return text !== "" && Number.isFinite(number) ? number : text;
  };
  for (const table of document.querySelectorAll("table.rows")) {
    const heads = [...table.querySelectorAll("th")];
    heads.forEach((head, column) => head.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => [sortable(row.cells[column].textContent), row]);
      rows.sort(([a], [b]) => way * (typeof a === typeof b ? (a > b) - (a < b) : typeof a === "number" ? -1 : 1));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    }));
  }
})();
