// A table that is wider than the page is scrolled by the keyboard too: the theme's box around it can be reached with Tab.
document$.subscribe(() => {
  requestAnimationFrame(() => {
    for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    }
  });
});
