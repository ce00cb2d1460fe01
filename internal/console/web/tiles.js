// The four numbers at the top, each with the last quarter of an hour as a line.

import {el, setText, svg} from './dom.js';
import {number, seconds, whole} from './format.js';

const minutes = 15;

const definitions = [
	{
		id: 'accepted', title: 'Accepted', unit: 'events/s', series: 'accepted', k: 1, zero: true, write: number,
		sub: (data) => [total('accepted', data.totals.accepted), ' since the start'],
	},
	{
		id: 'refused', title: 'Refused', unit: 'events/s', series: 'refused', k: 5, zero: true, write: number, bad: (v) => v > 0,
		sub: (data) => [total('refused', data.totals.refused), ' since the start'],
	},
	{
		id: 'fresh', title: 'Queryable after', unit: '', series: 'fresh.p50', k: 2, write: seconds, back: 12, consumers: true,
		sub: (data, history) => ['p99 ' + seconds(history.now('fresh.p99', 12))],
		nothing: 'no rows in the last minute',
	},
	{
		id: 'lag', title: 'Lag', unit: 'records', series: 'lag.records', k: 3, zero: true, write: number, consumers: true,
		sub: (data) => ['oldest ' + seconds(Math.max(0, ...data.consumers.map((c) => c.lag_seconds)))],
	},
];

// total is a counter as it is, for readers and for tests.
function total(name, value) {
	return el('data', {value, 'data-total': name}, whole(value));
}

export class Tiles {
	constructor(list) {
		this.tiles = definitions.map((def) => {
			const big = el('b', {}, '–');
			const unit = el('span', {}, def.unit);
			const sub = el('div', {class: 'sub'}, 'loading …');
			const line = svg('path', {class: 'line'});
			const area = svg('path', {class: 'area'});
			const node = el('li', {class: 'tile', id: 'tile-' + def.id},
				el('h3', {}, def.title), el('div', {class: 'big'}, big, unit), sub,
				svg('svg', {class: 'spark s' + def.k, viewBox: '0 0 100 40', preserveAspectRatio: 'none', 'aria-hidden': 'true'}, area, line));
			list.append(node);
			return {def, node, big, unit, sub, line, area};
		});
	}

	draw(history) {
		const data = history.latest;
		for (const tile of this.tiles) {
			const {def} = tile;
			let value = history.now(def.series, def.back ?? 1);
			const away = def.consumers && !data.consumers.some((c) => c.up);
			if (value === null && def.zero && !away && history.times.length) value = 0;
			setText(tile.big, def.write(away ? null : value));
			if (away) tile.sub.replaceChildren(data.watches ? 'no consumer answers' : 'consumers not configured');
			else if (value === null) tile.sub.replaceChildren(history.times.length && def.nothing ? def.nothing : 'collecting …');
			else tile.sub.replaceChildren(...def.sub(data, history));
			tile.node.classList.toggle('bad', !!def.bad?.(value));
			spark(tile, history.window([def.series], minutes, def.zero ? 0 : null), history.last);
		}
	}
}

// spark draws a line from the left edge, a quarter of an hour ago or the first sample, to the right one, now.
function spark(tile, [times, numbers], last) {
	const points = times.map((t, i) => [t, numbers[i]]).filter(([, v]) => v !== null);
	if (points.length < 2) {
		tile.line.removeAttribute('d');
		tile.area.removeAttribute('d');
		return;
	}
	const end = last / 1000;
	const span = Math.max(120, end - points[0][0]);
	const top = Math.max(...points.map(([, v]) => v)) || 1;
	const path = points.map(([t, v]) => `${(100 - (end - t) / span * 100).toFixed(2)} ${(38 - v / top * 32).toFixed(2)}`);
	const x = (i) => path[i].split(' ')[0];
	tile.line.setAttribute('d', 'M' + path.join('L'));
	tile.area.setAttribute('d', `M${x(0)} 40L${path.join('L')}L${x(path.length - 1)} 40Z`);
}
