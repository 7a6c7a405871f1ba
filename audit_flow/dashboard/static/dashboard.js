// Renews what says that it is not finished yet. Every page works without this file.
"use strict";

const MOST_TRIES = 2000;

async function renew(part, tries) {
  const seconds = Number(part.dataset.reload) || 2;
  await new Promise((done) => setTimeout(done, seconds * 1000));
  let fresh = null;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      fresh = part.id ? page.getElementById(part.id) : page.getElementById("main");
    }
  } catch (error) {
    // The dashboard may be starting again: ask once more.
  }
  if (fresh) {
    const old = part.id ? part : document.getElementById("main");
    old.replaceWith(fresh);
  }
  watch(tries + 1);
}

function watch(tries) {
  const part = document.querySelector("[data-reload]");
  if (part && tries < MOST_TRIES) {
    renew(part, tries);
  }
}

watch(0);
