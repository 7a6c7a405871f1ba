// Renews what says that it is not finished yet. Every page works without this file.
"use strict";

const MOST_TRIES = 2000;

async function renew(parts, tries) {
  const seconds = Math.min(...parts.map((part) => Number(part.dataset.reload) || 2));
  await new Promise((done) => setTimeout(done, seconds * 1000));
  let page = null;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    }
  } catch (error) {
    // The dashboard may be starting again: ask once more.
  }
  if (page) {
    // A part without a name stands for the whole page.
    const names = parts.every((part) => part.id) ? parts.map((part) => part.id) : ["main"];
    for (const name of names) {
      const fresh = page.getElementById(name);
      if (fresh) {
        document.getElementById(name).replaceWith(fresh);
      }
    }
  }
  watch(tries + 1);
}

function watch(tries) {
  const parts = [...document.querySelectorAll("[data-reload]")];
  if (parts.length && tries < MOST_TRIES) {
    renew(parts, tries);
  }
}

watch(0);
