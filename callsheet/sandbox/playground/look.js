/* Language and look as they were chosen last, before anything is painted. */
(function () {
  "use strict";
  let kept = {};
  try {
    kept = { theme: localStorage.getItem("callsheet.theme"), language: localStorage.getItem("callsheet.language") };
  } catch { /* storage is off: the browser's own settings count */ }
  if (kept.theme === "light" || kept.theme === "dark") document.documentElement.dataset.theme = kept.theme;
  const chinese = kept.language ? kept.language === "zh" : /^zh\b/i.test(navigator.language);
  document.documentElement.lang = chinese ? "zh-CN" : "en";
})();
