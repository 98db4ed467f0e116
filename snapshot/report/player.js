// Plays the recordings of a report. What is in them was drawn beforehand (recording.py tells the form): a frame
// lists rows that changed, a row is runs of text. All text is set as text, never as markup.
"use strict";
(() => {
  const DEFAULT_FOREGROUND = "#d0d7de";
  const DEFAULT_BACKGROUND = "#161b22";
  const LARGEST_FONT = 14;
  const SMALLEST_FONT = 5;
  const SKIP = 5;
  const LONGEST_NAME = 100;
  const SPEEDS = [0.5, 1, 2, 4];

  const element = (name, className, attributes = {}) => {
    const made = document.createElement(name);
    made.className = className;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  const clock = (seconds) => {
    const whole = Math.floor(seconds);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  };

  class Screen {
    constructor(film, label) {
      this.film = film;
      // Focusable, since it has keys of its own, and scrolls where even small type is too wide.
      this.box = element("div", "player-screen", { role: "img", "aria-label": label, tabindex: "0" });
      this.cursor = element("div", "player-cursor");
      this.rows = Array.from({ length: film.rows }, () => element("div", "player-row"));
      this.box.append(...this.rows, this.cursor);
      this.painted = new Array(film.rows).fill(0);
      this.shown = new Array(film.rows).fill(0);
      this.frame = -1;
    }

    show(number) {
      const frames = this.film.frames;
      if (number < this.frame) {
        this.shown.fill(0);
        this.frame = -1;
      }
      while (this.frame < number) {
        this.frame += 1;
        const changes = frames[this.frame][1];
        for (let at = 0; at < changes.length; at += 2) this.shown[changes[at]] = changes[at + 1];
      }
      this.shown.forEach((line, row) => {
        if (line !== this.painted[row]) this.paint(row, line);
      });
      const cursor = frames[number][2];
      this.cursor.hidden = !cursor;
      if (cursor) {
        this.cursor.style.top = `${cursor[0] * 1.3}em`;
        this.cursor.style.left = `${cursor[1]}ch`;
      }
    }

    paint(row, line) {
      this.painted[row] = line;
      this.rows[row].replaceChildren(...this.film.lines[line].map((run) => this.run(run)));
    }

    run([style, columns, text]) {
      const [foreground, background, words] = this.film.styles[style];
      const span = element("span", words && words.split(" ").map((word) => `player-${word}`).join(" "));
      span.textContent = text;
      if (foreground !== DEFAULT_FOREGROUND) span.style.color = foreground;
      if (background !== DEFAULT_BACKGROUND) span.style.backgroundColor = background;
      if (/[^ -~]/.test(text)) {
        // Fonts do not agree on the width of these; the columns after them are to stay in line.
        span.style.display = "inline-block";
        span.style.width = `${columns}ch`;
      }
      return span;
    }

    fit() {
      const width = this.box.clientWidth - 24;
      const size = Math.max(SMALLEST_FONT, Math.min(LARGEST_FONT, width / this.film.columns / 0.602));
      this.box.style.fontSize = `${Math.floor(size * 10) / 10}px`;
    }
  }

  class Player {
    constructor(article, film) {
      const heading = article.querySelector("h1, h2, h3, h4, h5, h6");
      const name = heading ? heading.textContent.slice(0, LONGEST_NAME) : "Recording";
      this.film = film;
      this.screen = new Screen(film, `${name}: what the terminal showed. Its text is below.`);
      this.toggle = element("button", "player-toggle", { type: "button" });
      this.position = element("input", "player-position", {
        type: "range", min: "0", max: String(film.duration), step: "0.1", "aria-label": "Position in the recording",
      });
      this.time = element("span", "player-time", { "aria-hidden": "true" });
      this.speed = element("select", "player-speed", { "aria-label": "Speed" });
      for (const speed of SPEEDS) {
        const option = element("option", "", { value: String(speed) });
        option.textContent = `${speed}×`;
        option.selected = speed === 1;
        this.speed.append(option);
      }
      const controls = element("div", "player-controls", { role: "group", "aria-label": `Playback: ${name}` });
      controls.append(this.toggle, this.position, this.time, this.speed);
      const place = article.querySelector(".player");
      place.append(this.screen.box, controls);
      place.hidden = false;

      this.seconds = 0;
      this.began = null;
      this.toggle.addEventListener("click", () => this.setPlaying(this.began === null));
      this.position.addEventListener("input", () => this.seek(Number(this.position.value)));
      this.screen.box.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => this.screen.fit()).observe(this.screen.box);
      this.screen.fit();
      this.tell();
      // Before it was played, the last moment says the most.
      this.screen.show(film.frames.length - 1);
    }

    setPlaying(playing) {
      if (playing && this.seconds >= this.film.duration) this.seconds = 0;
      this.began = playing ? performance.now() : null;
      this.tell();
      if (playing) this.draw();
      if (playing) requestAnimationFrame((now) => this.tick(now));
    }

    tick(now) {
      if (this.began === null) return;
      // A page in the background is not drawn; it goes on where it stopped.
      const passed = Math.min(0.5, Math.max(0, now - this.began) / 1000);
      this.began = Math.max(now, this.began);
      this.seconds = Math.min(this.film.duration, this.seconds + passed * Number(this.speed.value));
      if (this.seconds >= this.film.duration) this.began = null;
      this.draw();
      this.tell();
      if (this.began !== null) requestAnimationFrame((next) => this.tick(next));
    }

    seek(seconds) {
      this.seconds = Math.max(0, Math.min(this.film.duration, seconds));
      this.draw();
      this.tell();
    }

    key(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === " " || event.key === "k") this.setPlaying(this.began === null);
      else if (event.key === "ArrowLeft") this.seek(this.seconds - SKIP);
      else if (event.key === "ArrowRight") this.seek(this.seconds + SKIP);
      else if (event.key === "Home") this.seek(0);
      else if (event.key === "End") this.seek(this.film.duration);
      else return;
      event.preventDefault();
    }

    draw() {
      const frames = this.film.frames;
      let low = 0;
      let high = frames.length - 1;
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if (frames[middle][0] <= this.seconds) low = middle;
        else high = middle - 1;
      }
      this.screen.show(low);
    }

    tell() {
      const word = this.began === null ? "Play" : "Pause";
      if (this.toggle.textContent !== word) this.toggle.textContent = word;
      this.position.value = String(this.seconds);
      this.time.textContent = `${clock(this.seconds)} / ${clock(this.film.duration)}`;
      const words = `${Math.round(this.seconds)} of ${Math.round(this.film.duration)} seconds`;
      this.position.setAttribute("aria-valuetext", words);
    }
  }

  for (const article of document.querySelectorAll(".recording")) {
    const data = article.querySelector(".recording-data");
    if (data && data.textContent.trim()) new Player(article, JSON.parse(data.textContent));
  }
})();
