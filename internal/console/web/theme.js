// Sets the colours before the page is painted: those of the system, unless the reader chose others.
(() => {
	const chosen = localStorage.getItem('sluice-theme');
	if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
