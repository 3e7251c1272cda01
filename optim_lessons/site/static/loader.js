// Loaded by every page. Old browsers read it too: no modern words here. It sets formulas, follows the page's
// colours, and gets the live figures' script where this browser can show them.
(function () {
  var root = document.documentElement, here = document.currentScript.src.replace(/loader\.js[^/]*$/, "");
  var figures = [].slice.call(document.querySelectorAll(".ol-figure"));
  var questions = document.querySelectorAll(".ol-question");

  function dress() {
    var wish = document.body.getAttribute("data-theme");
    var dark = window.matchMedia && window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.setAttribute("data-theme", wish === "dark" || (wish !== "light" && dark) ? "dark" : "light");
  }
  dress();
  if (window.MutationObserver) new MutationObserver(dress).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  if (window.matchMedia) {
    var scheme = window.matchMedia("(prefers-color-scheme: dark)");
    if (scheme.addEventListener) scheme.addEventListener("change", dress);
  }

  if (window.katex) {
    [].forEach.call(document.querySelectorAll(".ol-math"), function (node) {
      window.katex.render(node.textContent, node, { displayMode: node.className.indexOf("ol-displayed") >= 0, throwOnError: false });
    });
  }

  // What is wider than its column scrolls by the arrow keys too.
  function reach() {
    [].forEach.call(document.querySelectorAll("pre, .ol-displayed, .table-wrapper"), function (box) {
      if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
      else box.removeAttribute("tabindex");
    });
  }
  reach();
  window.addEventListener("load", reach);
  window.addEventListener("resize", reach);
  if (document.fonts && document.fonts.ready) document.fonts.ready.then(reach);

  function missing() {
    if (!document.createElement("canvas").getContext || !window.Path2D) return "canvas (Path2D)";
    if (!window.DecompressionStream) return "DecompressionStream";
    if (!window.IntersectionObserver || !window.ResizeObserver) return "IntersectionObserver";
    if (!window.createImageBitmap) return "createImageBitmap";
    return "";
  }
  function say(text) {
    figures.forEach(function (figure) { figure.querySelector(".ol-note").textContent = text; });
  }
  if (!figures.length && !questions.length) return;
  var lacks = missing();
  if (lacks) return say("This picture stands still: the browser lacks " + lacks + ". A newer one makes it move.");
  var script = document.createElement("script");
  script.src = here + "explorers.js";
  script.onerror = function () { say("This picture stands still: its script could not be loaded."); };
  document.head.appendChild(script);
})();
