// Comfort only: every page works without this file.
(() => {
  "use strict";

  const copyButton = (pre) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this code");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(pre.querySelector("code").textContent + "\n");
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(pre);
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 1600);
    });
    pre.parentElement.querySelector(".bar").append(button);
  };

  // Strings, comments and a few words, so that the shape of a program is seen at a glance. The text stays the same.
  const TOKENS =
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(\$\w+)|\b(import|from|const|let|await|async|return|try|except|as|with|def|while|do|done|if|new)\b|(^|\s)(--?[A-Za-z][\w-]*)/gm;
  const colour = (code) => {
    const text = code.textContent;
    const out = document.createDocumentFragment();
    let end = 0;
    const span = (name, part) => {
      const element = document.createElement("span");
      element.className = name;
      element.textContent = part;
      out.append(element);
    };
    for (const match of text.matchAll(TOKENS)) {
      out.append(text.slice(end, match.index));
      if (match[1]) span("t-str", match[0]);
      else if (match[2]) span("t-var", match[0]);
      else if (match[3]) span("t-key", match[0]);
      else out.append(match[4]), span("t-opt", match[5]);
      end = match.index + match[0].length;
    }
    out.append(text.slice(end));
    code.replaceChildren(out);
  };

  const rememberLanguage = () => {
    const choices = [...document.querySelectorAll('input[name="language"]')];
    try {
      const known = choices.find((choice) => choice.value === localStorage.getItem("language"));
      if (known) known.checked = true;
      for (const choice of choices) {
        choice.addEventListener("change", () => localStorage.setItem("language", choice.value));
      }
    } catch {
      // Storage is switched off: the tabs work all the same.
    }
  };

  document.querySelectorAll("pre.code").forEach((pre) => {
    const code = pre.querySelector("code");
    if (code.children.length === 0) colour(code);
    copyButton(pre);
  });
  rememberLanguage();
})();
