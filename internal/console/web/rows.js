// Asks the database. An answer is a list of objects by column, or an error that says what is wrong.

import {el} from './dom.js';

// ask returns the JSON of a path; it throws an Error with the text of a refusal.
export async function ask(path, body) {
	let answer;
	try {
		answer = await fetch('/console/' + path, body && {
			method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body),
		});
	} catch {
		throw new Error('this gateway does not answer');
	}
	const json = await answer.json().catch(() => ({error: answer.statusText}));
	if (!answer.ok) throw new Error(json.error);
	return json;
}

// objects returns the rows of a result as objects.
export function objects(result) {
	return result.rows.map((row) => Object.fromEntries(result.columns.map((c, i) => [c.name, row[i]])));
}

// level draws an event's level.
export const level = (name) => el('span', {class: 'level ' + name}, name);

// Poller calls a function at once and then every few milliseconds while its view is shown and the page visible.
export class Poller {
	constructor(every, fn) {
		this.every = every;
		this.fn = fn;
	}

	show(on) {
		clearTimeout(this.timer);
		this.on = on;
		if (on) this.tick();
	}

	async tick() {
		if (!document.hidden) await this.fn();
		if (this.on) this.timer = setTimeout(() => this.tick(), this.every);
	}
}
