// One SQL statement at a time, read-only.

import {el, setText} from './dom.js';
import {seconds, whole} from './format.js';
import {ask} from './rows.js';

class SQL {
	async show(section, on) {
		if (!on || this.editor) return;
		this.editor = el('textarea', {
			class: 'editor', id: 'statement', spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', 'aria-label': 'SQL statement',
			onkeydown: (e) => {
				if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) this.run();
			},
		});
		this.button = el('button', {type: 'button', class: 'button main', onclick: () => this.run()}, 'Run');
		this.examples = el('div', {class: 'examples', role: 'group', 'aria-label': 'Examples'});
		this.result = el('div', {class: 'result', 'aria-live': 'polite'});
		section.append(el('div', {class: 'bar'}, el('h2', {}, 'SQL'), el('span', {class: 'hint'}, 'read-only; at most 10 s and 1,000 rows')),
			this.examples, this.editor,
			el('div', {class: 'bar result'}, this.button, el('span', {class: 'hint'}, 'Ctrl+Enter')), this.result);
		if (this.waiting) this.take(this.waiting);
		try {
			const examples = await ask('examples');
			this.examples.replaceChildren(...examples.map((x) =>
				el('button', {type: 'button', onclick: () => this.take(x.sql)}, x.title.replace(/\.$/, ''))));
			if (!this.editor.value) this.editor.value = examples[0].sql;
		} catch (e) {
			setText(this.result, e.message);
		}
	}

	// open shows the view with a statement, and runs it.
	open(sql) {
		if (this.editor) this.take(sql);
		else this.waiting = sql;
		location.hash = 'sql';
	}

	take(sql) {
		this.waiting = null;
		this.editor.value = sql;
		this.run();
	}

	async run() {
		const turn = this.turn = (this.turn ?? 0) + 1;
		this.button.disabled = true;
		this.result.setAttribute('aria-busy', 'true');
		let shown;
		try {
			shown = table(await ask('query', {sql: this.editor.value}));
		} catch (e) {
			shown = [el('div', {class: 'banner critical'}, el('div', {}, el('p', {}, el('strong', {}, 'ClickHouse did not run this.')), el('p', {}, e.message)))];
		}
		if (turn !== this.turn) return; // a later statement is on its way
		this.button.disabled = false;
		this.result.removeAttribute('aria-busy');
		this.result.replaceChildren(...shown);
	}
}

// kind shows a column's type. One with a long list of values is shortened.
const kind = (type) => el('small', {title: type}, type.length > 26 ? type.replace(/\(.*\)/, '(…)') : type);

const numeric = /^(Nullable\()?(U?Int|Float|Decimal)/;

function table(r) {
	if (r.text !== undefined) return [el('div', {class: 'table-card'}, el('pre', {tabindex: 0}, r.text))];
	const rows = r.rows.length === 1 ? '1 row' : whole(r.rows.length) + ' rows';
	const meta = [rows, seconds(r.seconds), r.read_rows && whole(Number(r.read_rows)) + ' rows read', r.truncated && 'there is more than is shown'];
	const kinds = r.columns.map((c) => (numeric.test(c.type) ? 'num' : null));
	return [
		el('p', {class: 'meta'}, meta.filter(Boolean).join(' · ')),
		r.rows.length > 0 && el('div', {class: 'table-card', tabindex: 0, role: 'region', 'aria-label': 'Result'}, el('table', {},
			el('thead', {}, el('tr', {}, r.columns.map((c, i) => el('th', {scope: 'col', class: kinds[i]}, c.name, kind(c.type))))),
			el('tbody', {}, r.rows.map((row) => el('tr', {}, row.map((v, i) => el('td', {class: [kinds[i], v.length < 40 && 'short'].filter(Boolean).join(' ')}, v))))))),
	].filter(Boolean);
}

export const sqlView = new SQL();
