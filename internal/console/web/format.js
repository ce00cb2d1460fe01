// Numbers for people: three digits and a unit.

const none = '–';

// number writes 0.25, 12.3, 1,234, 12.3k, 4.56M.
export function number(v) {
	if (v === null || v === undefined || Number.isNaN(v)) return none;
	const size = Math.abs(v);
	if (size >= 1e9) return short(v / 1e9) + 'G';
	if (size >= 1e6) return short(v / 1e6) + 'M';
	if (size >= 1e4) return short(v / 1e3) + 'k';
	if (size >= 1e3) return Math.round(v).toLocaleString('en');
	return short(v);
}

function short(v) {
	const size = Math.abs(v);
	const digits = size >= 100 || Number.isInteger(v) ? 0 : size >= 10 ? 1 : 2;
	return v.toFixed(digits);
}

// whole writes every digit: 1,234,567.
export function whole(v) {
	return Math.round(v).toLocaleString('en');
}

// bytes writes 12.3 MiB.
export function bytes(v) {
	if (v === null || v === undefined || Number.isNaN(v)) return none;
	for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
		if (Math.abs(v) < 1024) return short(v) + ' ' + unit;
		v /= 1024;
	}
	return short(v) + ' TiB';
}

// seconds writes 0.4 ms, 12.3 ms, 1.25 s, 4 min, 2.5 h.
export function seconds(v) {
	if (v === null || v === undefined || Number.isNaN(v)) return none;
	if (v === 0) return '0 s';
	if (v < 1) return short(v * 1000) + ' ms';
	if (v < 120) return short(v) + ' s';
	if (v < 7200) return short(v / 60) + ' min';
	return short(v / 3600) + ' h';
}

// clock writes the time of day.
export function clock(ms, withSeconds = true) {
	return new Date(ms).toLocaleTimeString('en-GB', withSeconds ? {} : {hour: '2-digit', minute: '2-digit'});
}

// ago writes how long ago a time was.
export function ago(ms) {
	const s = Math.max(0, (Date.now() - ms) / 1000);
	if (s < 2) return 'just now';
	if (s < 60) return Math.floor(s) + ' s ago';
	if (s < 3600) return Math.floor(s / 60) + ' min ago';
	if (s < 86400) return Math.floor(s / 3600) + ' h ago';
	return Math.floor(s / 86400) + ' d ago';
}

// utc reads a time that ClickHouse wrote in UTC.
export const utc = (text) => Date.parse(text.replace(' ', 'T') + 'Z');
