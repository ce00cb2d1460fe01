// Events as they arrive.

import {el, setText} from './dom.js';
import {clock, utc} from './format.js';
import {ask, level, objects, Poller} from './rows.js';

const kept = 100;

class Events {
	constructor() {
		this.poller = new Poller(1500, () => this.refresh());
		this.seen = new Set();
		this.paused = false;
	}

	show(section, on) {
		if (on && !this.list) this.build(section);
		this.poller.show(on);
	}

	build(section) {
		this.list = el('ol', {class: 'lines', 'aria-label': 'Events, the newest first', hidden: true});
		this.note = el('div', {class: 'note try'}, 'loading …');
		this.pause = el('button', {type: 'button', class: 'button', 'aria-pressed': 'false', onclick: () => this.toggle()}, 'Pause');
		this.hint = el('span', {class: 'hint', role: 'status'});
		section.append(el('div', {class: 'bar'}, el('h2', {}, 'Events'), this.hint, el('span', {class: 'grow'}), this.pause),
			this.note, el('div', {class: 'table-card'}, this.list));
	}

	toggle() {
		this.paused = !this.paused;
		this.pause.setAttribute('aria-pressed', String(this.paused));
		setText(this.pause, this.paused ? 'Go on' : 'Pause');
		setText(this.hint, this.paused ? 'paused' : '');
		if (!this.paused) this.refresh();
	}

	async refresh() {
		if (this.paused) return;
		try {
			this.draw(objects(await ask('events')));
			setText(this.hint, 'as they arrive, the last ' + kept);
		} catch (e) {
			setText(this.hint, e.message);
		}
	}

	draw(events) {
		this.list.parentElement.hidden = this.list.hidden = !events.length;
		this.note.hidden = events.length > 0;
		if (!events.length) {
			this.note.replaceChildren('No events yet. Send one:', el('pre', {tabindex: 0}, trial()));
		}
		const first = this.seen.size === 0;
		const key = (e) => e.project_id + e.event_id;
		this.list.replaceChildren(...events.map((e) => line(e, !first && !this.seen.has(key(e)))));
		this.seen = new Set(events.map(key));
		if (first) this.seen.add('');
	}
}

let command = '';

// setTrial sets the command that sends an event.
export function setTrial(text) { command = text; }

const trial = () => command;

function line(e, fresh) {
	const from = [e.project_id, e.environment, e.release].filter(Boolean).join(' · ');
	const at = utc(e.received_at);
	return el('li', {class: fresh ? 'new' : null, 'data-event': e.event_id},
		el('time', {datetime: new Date(at).toISOString(), title: e.received_at + ' UTC'}, clock(at)),
		level(e.level),
		el('span', {class: 'text', title: e.message}, e.exception_type && !e.message.startsWith(e.exception_type) &&
			el('span', {class: 'kind'}, e.exception_type + ': '), e.message),
		el('span', {class: 'from'}, from));
}

export const eventsView = new Events();
