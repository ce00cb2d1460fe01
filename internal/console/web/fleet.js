// The consumers, one row each, and the warnings above everything.

import {$, el, icon} from './dom.js';
import {number, seconds, whole} from './format.js';

const waits = {clickhouse: 'ClickHouse', setup: 'the setup', dead_letters: 'dead letters', kafka: 'Kafka'};

export function drawConsumers(data) {
	const none = $('no-consumers');
	none.hidden = data.watches && data.consumers.length > 0;
	if (!data.watches) {
		none.replaceChildren('This gateway does not know the consumers. Start it with ', el('code', {}, '--console-consumers host:8082,…'),
			' (their admin addresses, or a name that resolves to all of them) to see lag, rows, batches, freshness and dead letters here.');
	} else {
		none.replaceChildren('The names in ', el('code', {}, '--console-consumers'), ' have no address right now.');
	}
	$('consumers').hidden = !data.consumers.some((c) => c.up);
	$('fleet').replaceChildren(data.consumers.length ? table(data.consumers) : '');
}

function table(consumers) {
	const heads = ['consumer', 'state', 'rows/s', 'rows since its start', 'lag', 'oldest waits', 'partitions'];
	return el('div', {class: 'table-card'}, el('table', {class: 'fleet'},
		el('caption', {class: 'visually-hidden'}, 'Consumers'),
		el('thead', {}, el('tr', {}, heads.map((h, i) => el('th', {scope: 'col', class: i > 1 ? 'num' : null}, h)))),
		el('tbody', {}, consumers.map((c) => el('tr', {'data-consumer': c.address},
			el('th', {scope: 'row'}, c.address), state(c),
			cell('rows/s', c.up && number(c.rows)), cell('rows', c.up && el('data', {value: c.rows_total}, whole(c.rows_total))),
			cell('lag', c.up && number(c.lag)), cell('oldest', c.up && seconds(c.lag_seconds)),
			cell('partitions', c.up && number(c.partitions)))))));
}

function state(c) {
	if (!c.up) return el('td', {class: 'wide'}, el('span', {class: 'state down'}, 'unreachable'));
	if (c.blocked.length) {
		return el('td', {class: 'wide'}, el('span', {class: 'state waits'}, 'waits for ' + c.blocked.map((b) => waits[b] ?? b).join(', ')));
	}
	return el('td', {class: 'wide'}, el('span', {class: 'state'}, 'running'));
}

const cell = (label, content) => el('td', {class: 'num', 'data-label': label}, content || '–');

let said = '';

// drawProblems changes the banner only if what it says has changed: a screen reader reads every change aloud.
export function drawProblems(problems) {
	const now = JSON.stringify(problems);
	if (now === said) return;
	said = now;
	$('banner').replaceChildren(...problems.map((p) => el('div', {class: 'banner ' + p.severity},
		icon(p.severity), el('div', {}, el('p', {}, el('strong', {}, p.text)), p.hint && el('p', {}, p.hint)))));
}
