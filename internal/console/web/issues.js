// Issues: events with the same fingerprint, with their counts.

import {el, setText, svg} from './dom.js';
import {ago, utc, whole} from './format.js';
import {ask, level, objects, Poller} from './rows.js';
import {sqlView} from './sql.js';

class Issues {
	constructor() {
		this.poller = new Poller(4000, () => this.refresh());
	}

	show(section, on) {
		if (on && !this.body) this.build(section);
		this.poller.show(on);
	}

	build(section) {
		this.hint = el('span', {class: 'hint', role: 'status'});
		this.note = el('div', {class: 'note'}, 'loading …');
		this.body = el('tbody');
		this.card = el('div', {class: 'table-card', hidden: true}, el('table', {class: 'issues'},
			el('caption', {class: 'visually-hidden'}, 'Issues with the most events'),
			el('thead', {}, el('tr', {}, ['level', 'issue', 'events', 'users', 'last seen', ''].map((h, i) =>
				el('th', {scope: 'col', class: i === 2 || i === 3 ? 'num' : null}, h || el('span', {class: 'visually-hidden'}, 'query'))))),
			this.body));
		section.append(el('div', {class: 'bar'}, el('h2', {}, 'Issues'), this.hint), this.note, this.card);
	}

	async refresh() {
		try {
			const issues = objects(await ask('issues'));
			setText(this.hint, issues.length ? 'those with the most events' : '');
			this.note.hidden = issues.length > 0;
			setText(this.note, 'No issues yet. Events with the same fingerprint are one issue.');
			this.card.hidden = !issues.length;
			const most = Math.max(1, ...issues.map((i) => Number(i.events)));
			if (!this.body.contains(document.activeElement)) this.body.replaceChildren(...issues.map((i) => row(i, most)));
		} catch (e) {
			setText(this.hint, e.message);
		}
	}
}

function row(issue, most) {
	const events = Number(issue.events);
	return el('tr', {'data-issue': issue.issue_id},
		el('td', {}, level(issue.level)),
		el('td', {class: 'issue'}, el('div', {class: 'text'}, issue.message),
			el('div', {class: 'meta'}, `${issue.project_id} · ${issue.issue_id} · first seen ${ago(utc(issue.first_seen))}`)),
		el('td', {class: 'num', 'data-label': 'events'}, whole(events), meter(events / most)),
		el('td', {class: 'num', 'data-label': 'users'}, whole(Number(issue.users))),
		el('td', {'data-label': 'last'}, el('time', {title: issue.last_seen + ' UTC'}, ago(utc(issue.last_seen)))),
		el('td', {}, el('button', {
			type: 'button', class: 'button', 'aria-label': 'Query the events of ' + issue.issue_id, onclick: () => sqlView.open(eventsOf(issue)),
		}, 'SQL')));
}

function meter(share) {
	return svg('svg', {class: 'meter', viewBox: '0 0 100 4', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
		svg('rect', {class: 'all', width: 100, height: 4}), svg('rect', {class: 'part', width: Math.max(1, share * 100), height: 4}));
}

// eventsOf is a statement. Both values are checked by the gateway: a project has no quotes, an issue is 16 hex digits.
function eventsOf(issue) {
	return `SELECT received_at, level, message, environment, release, user_id, tags\nFROM events\n` +
		`WHERE project_id = '${issue.project_id}' AND issue_id = '${issue.issue_id}'\nORDER BY received_at DESC LIMIT 20`;
}

export const issuesView = new Issues();
