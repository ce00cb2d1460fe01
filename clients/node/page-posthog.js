// A page's script: sends captures and an exception with posthog-js.
import posthog from "posthog-js";

const query = new URLSearchParams(location.search);

// requests waits until the page has had the answers to n requests with events.
function requests(n) {
  return new Promise((done) => {
    new PerformanceObserver((list) => {
      n -= list.getEntries().filter((entry) => new URL(entry.name).pathname === "/e/").length;
      if (n <= 0) done();
    }).observe({ type: "resource", buffered: true });
  });
}

async function send() {
  posthog.init(query.get("key"), {
    api_host: query.get("url"),
    autocapture: false,
    capture_pageview: false,
    capture_pageleave: false,
    disable_session_recording: true,
    advanced_disable_flags: true,
    disable_external_dependency_loading: true,
    request_batching: false, // every event is a request, so that the page can count them
    opt_out_useragent_filter: true, // a browser without a window is a bot to it
  });
  posthog.identify("u-1", { email: "ann@example.com" });
  posthog.capture("order paid", { amount: 12 });
  posthog.captureException(new TypeError("cart 1 is empty"));
  await requests(3);
  return true;
}
window.sent = send();
