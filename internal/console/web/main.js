// Starts the page: asks for samples every few seconds, and shows the view that the address names.

import {$, el, icon, setText} from './dom.js';
import {clock} from './format.js';
import {Chart} from './chart.js';
import {consumers, gateway} from './definitions.js';
import {drawConsumers, drawProblems} from './fleet.js';
import {History} from './history.js';
import {Tiles} from './tiles.js';
import {eventsView, setTrial} from './events.js';
import {issuesView} from './issues.js';
import {sqlView} from './sql.js';

const history = new History();
const tiles = new Tiles($('tiles'));
const charts = [...gateway, ...consumers].map((def) => new Chart(def));
$('gateway').append(...charts.slice(0, gateway.length).map((c) => c.node));
$('consumers').append(...charts.slice(gateway.length).map((c) => c.node));
let minutes = Number(localStorage.getItem('sluice-minutes')) || 15;
let failing = 0;

const views = {charts: null, events: eventsView, issues: issuesView, sql: sqlView};
let active = null; // the view of the database that is shown

// refresh asks for what is new. It never asks twice at a time.
async function refresh() {
	try {
		const answer = await fetch('/console/data?since=' + history.last, {signal: AbortSignal.timeout(10000)});
		if (!answer.ok) throw new Error(answer.statusText);
		history.add(await answer.json());
		failing = 0;
		draw();
	} catch {
		failing ||= Date.now();
		drawProblems([{
			severity: 'critical', text: 'This gateway has not answered since ' + clock(failing) + '.',
			hint: 'The numbers below are from before. The page tries again by itself.',
		}]);
		pulse('lost', 'no answer');
	}
	const wait = failing || !history.times.length ? 1000 : Math.max(500, history.latest.at + history.latest.interval * 1000 + 300 - Date.now());
	setTimeout(refresh, Math.min(wait, 6000));
}

function pulse(kind, text) {
	$('pulse').className = 'pulse ' + kind;
	setText($('pulse'), text);
}

function draw() {
	const data = history.latest;
	const wrong = data.problems.length;
	pulse(wrong ? 'lost' : 'live', wrong ? (wrong === 1 ? '1 problem' : wrong + ' problems') : 'live');
	drawProblems(data.problems);
	drawConsumers(data);
	if (history.times.length || data.at) tiles.draw(history);
	if (history.times.length) charts.forEach((c) => c.draw(history, minutes));
	$('tabs').hidden = !data.explore;
	if (data.explore) {
		setTrial(data.try);
		route();
	}
	$('foot').replaceChildren(`${data.version}. A sample every ${data.interval} s, an hour of them, of this gateway and the consumers it knows. `,
		data.explore ? 'Times are yours; SQL has UTC.' : data.no_explore);
}

// route shows the view in the address. Without a database there are only charts.
function route() {
	const wanted = location.hash.slice(1);
	const name = history.latest?.explore && wanted in views ? wanted : 'charts';
	if (active === name) return;
	active = name;
	for (const view of Object.keys(views)) {
		$(view).hidden = view !== name;
		views[view]?.show($(view), view === name);
	}
	for (const a of $('tabs').children) {
		if (a.hash === '#' + name) a.setAttribute('aria-current', 'page');
		else a.removeAttribute('aria-current');
	}
	$('ranges').hidden = name !== 'charts';
	charts.forEach((c) => c.resize());
	scrollTo(0, 0);
}

function choose(to) {
	minutes = to;
	localStorage.setItem('sluice-minutes', to);
	for (const b of $('ranges').children) b.setAttribute('aria-pressed', String(Number(b.dataset.minutes) === minutes));
	if (history.times.length) charts.forEach((c) => c.draw(history, minutes));
}
for (const b of $('ranges').children) b.addEventListener('click', () => choose(Number(b.dataset.minutes)));

const themes = {auto: ['auto', 'as the system'], light: ['sun', 'light'], dark: ['moon', 'dark']};

function paint() {
	const [name, words] = themes[document.documentElement.dataset.theme ?? 'auto'];
	$('theme').replaceChildren(icon(name));
	$('theme').setAttribute('aria-label', 'Colours: ' + words);
	$('theme').title = 'Colours: ' + words;
	charts.forEach((c) => c.repaint());
}
$('theme').addEventListener('click', () => {
	const order = ['auto', 'light', 'dark'];
	const next = order[(order.indexOf(document.documentElement.dataset.theme ?? 'auto') + 1) % order.length];
	if (next === 'auto') delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = next;
	localStorage.setItem('sluice-theme', next);
	paint();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);

addEventListener('hashchange', route);
choose(minutes);
paint();
refresh();
