// Elements are made here and nowhere else. What comes from events or from metrics becomes text, never HTML.

const SVG = 'http://www.w3.org/2000/svg';

// el makes an element. Properties that begin with "on" are listeners; null and false leave an attribute out.
export function el(tag, props = {}, ...children) {
	return fill(document.createElement(tag), props, children);
}

// svg makes an element of a drawing.
export function svg(tag, props = {}, ...children) {
	return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
	for (const [name, value] of Object.entries(props)) {
		if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
		else if (value === true) node.setAttribute(name, '');
		else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
	}
	node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
	return node;
}

// $ returns the element with an id.
export const $ = (id) => document.getElementById(id);

// setText changes a node only if the text is another: screen readers announce every change.
export function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

const icons = {
	critical: 'M8 1.500 15 14H1L8 1.500Zm0 4.500v4m0 1.800v.700',
	warning: 'M8 14.500a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13ZM8 4.700V9m0 1.900v.700',
	sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3.050 3.050l1.050 1.050m7.800 7.800 1.050 1.050m0-9.900-1.050 1.050m-7.800 7.800-1.050 1.050',
	moon: 'M13.500 9.800A6 6 0 0 1 6.200 2.500a6 6 0 1 0 7.300 7.300Z',
	auto: 'M8 14.500a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13ZM8 1.500v13M8 5h5.500M8 8h6.500M8 11h5.500',
};

// icon draws one of the icons.
export function icon(name) {
	return svg('svg', {width: 16, height: 16, viewBox: '0 0 16 16', 'aria-hidden': 'true'},
		svg('path', {
			d: icons[name], fill: 'none', stroke: 'currentColor', 'stroke-width': 1.5,
			'stroke-linecap': 'round', 'stroke-linejoin': 'round',
		}));
}
