// The hour of samples that the page holds, as the gateway sent them.

export class History {
	constructor() { this.clear(0); }

	clear(instance) {
		this.instance = instance;
		this.times = [];
		this.series = new Map();
		this.latest = null;
	}

	// last is the time of the newest sample, from which to ask for more.
	get last() { return this.times.length ? this.times[this.times.length - 1] : 0; }

	// add takes an answer of /console/data. A gateway that was started anew begins a new hour.
	add(data) {
		if (data.instance !== this.instance) this.clear(data.instance);
		this.latest = data;
		const skip = data.times.filter((t) => t <= this.last).length;
		const more = data.times.slice(skip);
		for (const name of Object.keys(data.series)) {
			if (!this.series.has(name)) this.series.set(name, new Array(this.times.length).fill(null));
		}
		for (const [name, numbers] of this.series) {
			const added = data.series[name];
			for (let i = 0; i < more.length; i++) numbers.push(added ? added[skip + i] : null);
		}
		this.times.push(...more);
		const over = this.times.length - data.samples;
		if (over > 0) {
			this.times.splice(0, over);
			for (const numbers of this.series.values()) numbers.splice(0, over);
		}
	}

	// window returns what to draw of series: times in seconds, and the numbers of each name in the last minutes.
	window(names, minutes, missing) {
		const end = this.last;
		let from = this.times.findIndex((t) => t > end - minutes * 60000);
		if (from < 0) from = this.times.length;
		const times = this.times.slice(from).map((t) => t / 1000);
		return [times, ...names.map((name) => {
			const numbers = this.series.get(name);
			if (!numbers) return new Array(times.length).fill(missing);
			return numbers.slice(from).map((v) => v ?? missing);
		})];
	}

	// under lists the series whose names begin with a prefix, and that are not zero all the time.
	under(prefix) {
		return [...this.series.keys()].filter((name) =>
			name.startsWith(prefix) && this.series.get(name).some((v) => v)).sort();
	}

	// now returns the newest number of a series, and looks back some samples for one that is not null.
	now(name, back = 1) {
		const numbers = this.series.get(name);
		if (!numbers) return null;
		for (let i = numbers.length - 1; i >= Math.max(0, numbers.length - back); i--) {
			if (numbers[i] !== null) return numbers[i];
		}
		return null;
	}
}
