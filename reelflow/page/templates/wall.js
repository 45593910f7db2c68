"use strict";
(() => {
  const cards = [...document.querySelectorAll(".card")], words = document.getElementById("words");
  const told = document.getElementById("told"), none = document.getElementById("none");
  const choices = [...document.querySelectorAll("input[name=state]")];
  // Clips still come: the page is read anew, but not under the eyes of somebody who is filtering it.
  if (document.getElementById("main").hasAttribute("data-goes-on")) {
    setInterval(() => {
      if (!(words && words.value) && !choices.some((choice) => choice.checked && choice.value)) location.reload();
    }, 10000);
  }
  if (!words) return;
  document.getElementById("filter").hidden = false;
  const sift = () => {
    const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const state = (choices.find((choice) => choice.checked) || { value: "" }).value;
    let left = 0;
    for (const card of cards) {
      const fits = (!state || card.dataset.state === state) && asked.every((word) => card.dataset.words.includes(word));
      card.hidden = !fits;
      left += fits;
    }
    told.textContent = left === cards.length ? `${left} in all` : `${left} of ${cards.length}`;
    none.hidden = left > 0;
  };
  words.addEventListener("input", sift);
  for (const choice of choices) choice.addEventListener("change", sift);
  sift();
})();
