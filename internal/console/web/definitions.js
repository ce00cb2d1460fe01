// What the page draws. A chart has fixed series, or one for each value of a label ("each").
// Colours go with meanings: the same word has the same colour in every chart.

import {bytes, number, seconds} from './format.js';

const colours = {
	accepted: 1, rate_limited: 4, unavailable: 5, invalid_event: 9, malformed: 8, unauthorized: 3, too_large: 2,
	forbidden: 6, timeout: 10, '2xx': 1, '4xx': 3, 429: 4, '5xx': 5, native: 1, sentry: 3, otlp: 2,
};
const others = [10, 7, 8, 6, 9, 2, 4, 3];

// colour returns the number of a name's colour. Names without one of their own take the rest in turn.
export function colour(name, i) {
	return colours[name] ?? others[i % others.length];
}

const words = {
	'2xx': '2xx kept', '4xx': '4xx refused', 429: '429 rate limited', '5xx': '5xx send again',
	otlp: 'OpenTelemetry', otlp_logs: 'OpenTelemetry', posthog: 'PostHog', sentry: 'Sentry', segment: 'Segment',
	splunk: 'Splunk', loki: 'Loki', elastic: 'Elasticsearch', sentry_envelope: 'Sentry envelope', sentry_store: 'Sentry store',
};

// label returns the words for a value of a label.
export const label = (name) => words[name] ?? name.replaceAll('_', ' ');

// powers are the steps of an axis with bytes.
const powers = Array.from({length: 45}, (_, i) => 2 ** i);

const one = (name, text, k) => ({name, text, k});

export const gateway = [
	{
		title: 'Events by outcome', unit: 'per second', write: number, zero: true,
		fixed: [one('accepted', 'accepted', 1)], each: 'refused.reason/',
	},
	{title: 'Accepted by protocol', unit: 'per second', write: number, zero: true, fixed: [], each: 'accepted.protocol/'},
	{title: 'Requests by answer', unit: 'per second', write: number, zero: true, fixed: [], each: 'requests.answer/'},
	{title: 'Requests by route', unit: 'per second', write: number, zero: true, fixed: [], each: 'requests.route/'},
	{
		title: 'Time to publish and to answer', unit: '', write: seconds, least: .001,
		fixed: [
			one('publish.p50', 'publish p50', 2), one('publish.p99', 'publish p99', 3), one('answer.p99', 'answer p99', 10),
		],
	},
	{
		title: 'In flight and spooled', unit: '', write: bytes, least: 1024, steps: powers, zero: true,
		fixed: [one('bytes.inflight', 'in flight', 2), one('bytes.spool', 'spooled', 4)],
	},
	{title: 'Failed requests to Kafka', unit: 'per second', write: number, zero: true, fixed: [], each: 'publish.errors/', hides: true},
];

export const consumers = [
	{title: 'Rows', unit: 'per second', write: number, fixed: [one('rows', 'inserted', 1)]},
	{title: 'Lag', unit: 'records', write: number, fixed: [one('lag.records', 'not in ClickHouse yet', 3)]},
	{
		title: 'Freshness', unit: 'receipt to row', write: seconds, least: .001,
		fixed: [one('fresh.p50', 'p50', 2), one('fresh.p99', 'p99', 3)],
	},
	{title: 'Batches', unit: 'rows an insert', write: number, fixed: [one('batch.p50', 'p50', 2), one('batch.p99', 'p99', 10)]},
	{
		title: 'Time of an insert', unit: '', write: seconds, least: .001,
		fixed: [one('insert.p50', 'p50', 2), one('insert.p99', 'p99', 10)],
	},
	{title: 'Dead letters', unit: 'per second', write: number, zero: true, fixed: [], each: 'dead.reason/', rare: true},
];
