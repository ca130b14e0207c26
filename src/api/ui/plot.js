// Small plots: what happened over the last minutes, where a picture says more than a number.

import { svg } from "./elements.js";

/** One sample every so many milliseconds, so many of them: five minutes. */
export const EVERY = 2000;
export const SAMPLES = 150;

/** Numbers of the last minutes; what counts up becomes a rate. */
export class Series {
  constructor() {
    this.values = [];
    this.total = null;
    this.at = 0;
  }

  /** The count as it is at this time (milliseconds). */
  count(total, at) {
    const seconds = (at - this.at) / 1000;
    // A count that went back began anew.
    if (this.total !== null && seconds > 0) this.add(Math.max(0, total - this.total) / seconds);
    this.total = total;
    this.at = at;
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > SAMPLES) this.values.shift();
  }

  get now() {
    const last = this.values.slice(-2);
    return last.length ? last.reduce((sum, value) => sum + value, 0) / last.length : 0;
  }

  get most() {
    return this.values.reduce((most, value) => Math.max(most, value), 0);
  }
}

/** A drawing for one or two series, `width` by `height`. */
export class Plot {
  constructor(width, height, kinds) {
    Object.assign(this, { width, height });
    this.node = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: "plot", "aria-hidden": "true" });
    this.lines = kinds.map((kind) => {
      const area = svg("path", { class: `area ${kind}` });
      const line = svg("path", { class: `line ${kind}`, "vector-effect": "non-scaling-stroke" });
      this.node.append(area, line);
      return { area, line };
    });
  }

  draw(...series) {
    const most = Math.max(...series.map((one) => one.most)) || 1;
    const step = this.width / (SAMPLES - 1);
    series.forEach(({ values }, n) => {
      const { area, line } = this.lines[n];
      if (values.length < 3) return;
      const begin = this.width - (values.length - 1) * step;
      const points = values.map((value, i) =>
        `${(begin + i * step).toFixed(1)} ${(this.height - 1 - (value / most) * (this.height - 2)).toFixed(1)}`);
      line.setAttribute("d", `M${points.join("L")}`);
      area.setAttribute("d", `M${begin.toFixed(1)} ${this.height}L${points.join("L")}L${this.width} ${this.height}Z`);
    });
  }
}
