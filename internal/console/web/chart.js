// One chart: title, legend, plot, tooltip, and its values as a table.

import {el, setText} from './dom.js';
import {clock} from './format.js';
import {colour, label} from './definitions.js';

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const shared = uPlot.sync('console');
const tableRows = 24;

export class Chart {
	constructor(definition) {
		this.def = definition;
		this.hidden = new Set();
		this.lines = [];
		this.data = [[]];
		this.asTable = false;
		const id = 'chart-' + definition.title.toLowerCase().replaceAll(' ', '-');
		this.legend = el('ul', {class: 'legend', 'aria-label': 'Series'});
		this.plot = el('div', {
			class: 'plot', tabindex: 0, role: 'img', 'aria-describedby': id + '-now',
			onkeydown: (e) => this.key(e), onblur: () => this.point(null),
		});
		this.empty = el('div', {class: 'empty'}, 'loading …');
		this.tip = el('div', {class: 'tip', hidden: true});
		this.plot.append(this.empty, this.tip);
		this.summary = el('p', {class: 'visually-hidden', id: id + '-now'});
		this.spoken = el('p', {class: 'visually-hidden', 'aria-live': 'polite'});
		this.values = el('div', {class: 'values', hidden: true, tabindex: 0, role: 'region', 'aria-label': definition.title + ', values'});
		this.toggle = el('button', {type: 'button', 'aria-pressed': 'false', onclick: () => this.showTable(!this.asTable)}, 'Table');
		this.node = el('figure', {class: 'chart', 'aria-labelledby': id},
			el('div', {class: 'chart-head'}, el('h3', {id}, definition.title), el('span', {class: 'unit'}, definition.unit), this.toggle),
			this.legend, this.plot, this.values, this.summary, this.spoken);
		new ResizeObserver(() => this.resize()).observe(this.plot);
	}

	// draw shows the last minutes of the history.
	draw(history, minutes) {
		const {def} = this;
		const lines = [...def.fixed];
		if (def.each) {
			history.under(def.each).forEach((name, i) => {
				const of = name.slice(def.each.length);
				lines.push({name, text: label(of), k: colour(of, i)});
			});
		}
		this.data = history.window(lines.map((l) => l.name), minutes, def.zero ? 0 : null);
		if (!def.zero) this.data = [this.data[0], ...this.data.slice(1).map(bridge)];
		const span = Math.max(120, Math.min(minutes * 60, (history.last - history.times[0]) / 1000));
		this.range = [history.last / 1000 - span, history.last / 1000];
		if (!this.u || lines.map((l) => l.name).join() !== this.lines.map((l) => l.name).join()) this.build(lines);
		else this.u.setData(this.data);
		this.state();
	}

	build(lines) {
		const {def} = this;
		this.lines = lines;
		this.u?.destroy();
		const grid = {stroke: () => css('--grid'), width: 1};
		const axis = {stroke: () => css('--muted'), grid, ticks: {show: false}, font: '12px system-ui, sans-serif'};
		this.u = new uPlot({
			width: Math.max(100, this.plot.clientWidth), height: this.plot.clientHeight || 150, legend: {show: false},
			padding: [8, 16, 0, 0],
			cursor: {sync: {key: shared.key, setSeries: false}, drag: {x: false, y: false}, points: {size: 7, width: 2}},
			scales: {
				x: {range: () => this.range},
				y: {range: (_, __, max) => [0, Math.max(max * 1.12, def.least ?? 0) || 1]},
			},
			axes: [
				{...axis, size: 26, gap: 6, space: 64, values: (_, ticks) => ticks.map((t) => clock(t * 1000, t % 60 !== 0))},
				{...axis, size: (_, values) => (values ? Math.max(...values.map((v) => v.length)) * 7 + 10 : 40), gap: 6, space: 28, ...(def.steps && {incrs: def.steps}),
					values: (_, ticks) => ticks.map((v) => this.def.write(v))},
			],
			series: [{}, ...lines.map((line) => ({
				label: line.text, show: !this.hidden.has(line.name), width: 1.75, points: {show: false},
				stroke: () => css('--c' + line.k),
				fill: () => css('--c' + line.k) + (lines.length > 2 ? '14' : '22'),
			}))],
			hooks: {setCursor: [(u) => this.point(u.cursor.event || this.keyed ? u.cursor.idx : null)]},
		}, this.data, this.plot);
		this.u.over.addEventListener('mouseleave', () => this.point(null));
		this.legend.replaceChildren(...lines.map((line, i) => el('li', {}, el('button', {
			type: 'button', 'aria-pressed': String(!this.hidden.has(line.name)), onclick: (e) => this.flip(i, e.currentTarget),
		}, el('span', {class: 'swatch k' + line.k}), line.text + ' ', el('b')))));
	}

	flip(i, button) {
		const {name} = this.lines[i];
		if (!this.hidden.delete(name)) this.hidden.add(name);
		const shown = !this.hidden.has(name);
		button.setAttribute('aria-pressed', String(shown));
		this.u.setSeries(i + 1, {show: shown});
		this.state();
	}

	// state writes what is not drawn: the newest values, the table, and that there is nothing yet.
	state() {
		this.node.hidden = !!this.def.hides && !this.lines.length;
		const numbers = this.data.slice(1);
		const some = numbers.some((list) => list.some((v) => v !== null));
		this.empty.hidden = some && this.data[0].length > 1;
		setText(this.empty, this.data[0].length < 2 ? 'collecting the first samples …' : this.def.rare ? 'none in this time' : 'nothing yet');
		this.lines.forEach((line, i) => {
			setText(this.legend.children[i].querySelector('b'), this.def.write(newest(numbers[i])));
		});
		const says = this.lines.map((line, i) => `${line.text} ${this.def.write(newest(numbers[i]))}`).join(', ');
		setText(this.summary, `${says ? 'Now ' + says : 'Nothing yet'} ${this.def.unit}. Arrow keys read earlier values.`);
		if (this.asTable) this.fillTable();
	}

	showTable(on) {
		this.asTable = on;
		this.toggle.setAttribute('aria-pressed', String(on));
		setText(this.toggle, on ? 'Chart' : 'Table');
		this.plot.hidden = on;
		this.values.hidden = !on;
		if (on) this.fillTable();
		else this.resize();
	}

	fillTable() {
		const [times, ...numbers] = this.data;
		const rows = [];
		for (let i = times.length - 1; i >= Math.max(0, times.length - tableRows); i--) {
			rows.push(el('tr', {}, el('th', {scope: 'row'}, clock(times[i] * 1000)),
				numbers.map((list) => el('td', {class: 'num'}, this.def.write(list[i])))));
		}
		this.values.replaceChildren(el('table', {},
			el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, 'time'),
				this.lines.map((line) => el('th', {scope: 'col', class: 'num'}, line.text)))),
			el('tbody', {}, rows)));
	}

	// point shows the tooltip at a sample, or none.
	point(i) {
		if (i === null || i === undefined || this.data[0][i] === undefined) {
			this.tip.hidden = true;
			this.keyed = false;
			return;
		}
		const rows = this.lines.map((line, n) => ({line, v: this.data[n + 1][i]}))
			.filter(({line, v}) => !this.hidden.has(line.name) && v !== null && (v !== 0 || this.lines.length < 4))
			.sort((a, b) => b.v - a.v);
		const at = clock(this.data[0][i] * 1000);
		this.tip.replaceChildren(el('time', {}, at), ...rows.map(({line, v}) => el('div', {},
			el('span', {class: 'swatch k' + line.k}), line.text, el('b', {}, this.def.write(v)))));
		this.tip.hidden = false;
		const x = this.u.valToPos(this.data[0][i], 'x') + this.u.over.offsetLeft;
		const right = x > this.plot.clientWidth / 2;
		this.tip.style.left = Math.max(0, right ? x - this.tip.offsetWidth - 12 : x + 12) + 'px';
		if (this.keyed) setText(this.spoken, `${at}: ` + rows.map(({line, v}) => `${line.text} ${this.def.write(v)}`).join(', '));
	}

	key(e) {
		const last = this.data[0].length - 1;
		const at = this.at ?? last;
		const to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last}[e.key];
		if (e.key === 'Escape') this.point(null);
		if (to === undefined || last < 0) return;
		e.preventDefault();
		this.at = Math.max(0, Math.min(last, to));
		this.keyed = true;
		this.u.setCursor({left: this.u.valToPos(this.data[0][this.at], 'x'), top: 10}, false);
		this.keyed = true;
		this.point(this.at);
	}

	resize() {
		if (this.u && this.plot.clientWidth) this.u.setSize({width: this.plot.clientWidth, height: this.plot.clientHeight});
	}

	repaint() { this.u?.redraw(false); }
}

// bridge draws through at most three samples without a number: an idle moment is not a gap.
function bridge(list) {
	const out = [...list];
	for (let i = 1; i < out.length; i++) {
		if (out[i] === null && list.slice(Math.max(0, i - 3), i).some((v) => v !== null)) out[i] = out[i - 1];
	}
	return out;
}

function newest(list) {
	return list.length ? list[list.length - 1] : null;
}
