/// What a page looks like, and the little that moves in it.
enum PageStyle {
    /// Colours have a contrast of 4.5 and more on what they stand on, in light and in dark.
    static let css: Markup = """
        :root{color-scheme:light dark;--page:#f6f5f2;--card:#fff;--ink:#1c2024;--soft:#5a626b;--line:#dcdad4;
        --accent:#0b5cab;--wash:#e9f1fa;--wait:#bcd6f0;--kept:#757d86;--ok:#17692f;--okwash:#e4f3e7;--warn:#7d4b00;
        --warnwash:#fbefd9;--bad:#ac1e14;--badwash:#fce8e6;--odd:#faf9f7}
        @media(prefers-color-scheme:dark){:root{--page:#121518;--card:#1b1f24;--ink:#e8eaed;--soft:#a5adb6;
        --line:#343a41;--accent:#80b9f7;--wash:#1e2f42;--wait:#2f4a67;--kept:#8d959e;--ok:#74d48b;--okwash:#1b3323;
        --warn:#f2bd68;--warnwash:#3a2d14;--bad:#ff9a8f;--badwash:#44201d;--odd:#1f242a}}
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
        "Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
        main,header,footer{max-width:1200px;margin:0 auto;padding:0 24px}
        header{padding-top:32px}
        h1{font-size:26px;line-height:1.25;margin:0;letter-spacing:-.01em;display:flex;flex-wrap:wrap;gap:4px 14px;
        align-items:center}
        h1 .run{font-weight:400;color:var(--soft)}
        h2{font-size:18px;margin:0 0 4px}
        h3{font-size:15px;margin:0;overflow-wrap:anywhere}
        p{margin:4px 0 12px;max-width:75ch}
        .soft,caption,figcaption{color:var(--soft)}
        section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:20px;margin:20px 0}
        dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));margin:20px 0;
        background:var(--card);border:1px solid var(--line);border-radius:10px;overflow:hidden}
        dl.facts div{padding:12px 16px;box-shadow:1px 1px 0 var(--line)}
        dt{color:var(--soft);font-size:13px}
        dd{margin:0;font-size:20px;font-weight:600;overflow-wrap:anywhere}
        dd small{display:block;font-size:13px;font-weight:400;color:var(--soft)}
        .badge{display:inline-block;border-radius:99px;padding:1px 10px;font-size:13px;font-weight:600;
        background:var(--wash);color:var(--accent);white-space:nowrap}
        .badge.passed,.badge.finished{background:var(--okwash);color:var(--ok)}
        .badge.review,.badge.cancelled,.badge.interrupted{background:var(--warnwash);color:var(--warn)}
        .badge.failed{background:var(--badwash);color:var(--bad)}
        .scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%}
        caption{text-align:left;padding:0 0 8px}
        th,td{text-align:left;padding:7px 14px 7px 0;border-top:1px solid var(--line);vertical-align:top}
        thead td{border-top:0}
        thead th{border-top:0;font-size:13px;font-weight:600;color:var(--soft);white-space:nowrap}
        tbody th{font-weight:600;overflow-wrap:anywhere;min-width:13em}
        #items tbody th{min-width:18em;width:45%}
        .n{text-align:right;white-space:nowrap}
        td:last-child,th:last-child{padding-right:0}
        .fault{margin:2px 0 0;overflow-wrap:anywhere}
        .fault code{color:var(--bad)}
        .bar{display:block;width:100%;min-width:110px;height:9px;margin-top:7px;border-radius:5px;background:var(--wash)}
        .bar rect{fill:var(--accent)}
        code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
        pre{margin:8px 0 0;padding:12px;background:var(--page);border:1px solid var(--line);border-radius:6px;
        overflow:auto;max-height:22em;white-space:pre-wrap;overflow-wrap:anywhere}
        article{border-top:1px solid var(--line);padding:12px 0}
        article:last-child{padding-bottom:0}
        article dl{margin:4px 0;display:grid;grid-template-columns:max-content 1fr;gap:2px 12px}
        article dd{font-size:15px;font-weight:400}
        summary{cursor:pointer;color:var(--accent);width:max-content}
        svg{display:block}
        svg text{font-family:inherit;fill:var(--ink)}
        svg.graph{width:100%;margin:0 auto}
        .graph text{font-size:11px}
        .graph .name{font-size:13px;font-weight:600}
        .graph .axes{font-size:10px}
        .graph .axes,.graph .cost{fill:var(--soft)}
        .graph .box{fill:var(--card);stroke:var(--accent);stroke-width:1.5}
        .graph .meter{fill:var(--accent)}
        .graph .cached .box,.graph .none .box{stroke:var(--line)}
        .graph .none .box{stroke-dasharray:4 3}
        .graph .none text{fill:var(--soft)}
        .graph .failed .box{stroke:var(--bad);fill:var(--badwash)}
        .graph .failed text{fill:var(--ink)}
        .graph .failed .counts{fill:var(--bad);font-weight:600}
        .graph .given rect{fill:var(--page);stroke:var(--line)}
        .graph .given text{fill:var(--soft)}
        .arrows path{fill:none;stroke:var(--kept);stroke-width:1.3}
        #tip path{fill:var(--kept)}
        svg.timeline{width:100%;min-width:760px}
        .timeline text{font-size:11px;fill:var(--soft)}
        .timeline .stage{font-size:12px;fill:var(--ink)}
        .timeline .band{fill:none}
        .timeline .odd{fill:var(--odd)}
        .timeline .axis path{stroke:var(--line);stroke-width:1;fill:none;pointer-events:none}
        .marks .done,.key .done{fill:var(--accent);background:var(--accent)}
        .marks .cached,.key .cached{fill:var(--kept);background:var(--kept)}
        .marks .failed,.key .failed{fill:var(--bad);background:var(--bad)}
        .timeline .waiting,.key .waiting{fill:var(--wait);background:var(--wait)}
        .marks .on,.marks rect:hover{stroke:var(--ink);stroke-width:1.5}
        .key{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;margin:0 0 8px;color:var(--soft)}
        .key i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px}
        output{display:block;min-height:2.2em;padding-top:8px;overflow-wrap:anywhere}
        button{font:inherit;color:var(--accent);background:var(--card);border:1px solid var(--line);border-radius:6px;
        padding:3px 12px;cursor:pointer}
        button[aria-pressed=true]{background:var(--wash);border-color:var(--accent)}
        h2+p button{margin:6px 0 0}
        .few .good{display:none}
        :focus-visible{outline:2px solid var(--accent);outline-offset:2px}
        h2 .badge{vertical-align:2px;margin-left:6px}
        .arrow{color:var(--soft);font-weight:400}
        .complaints{margin:6px 0 12px;padding:0;list-style:none}
        .complaints li{padding:1px 0 1px 12px;border-left:3px solid var(--warn);margin:4px 0;overflow-wrap:anywhere}
        .complaints .bad{border-color:var(--bad)}
        dl.facts.small{margin:12px 0;grid-template-columns:repeat(auto-fit,minmax(128px,1fr))}
        dl.facts.small div{padding:8px 14px}
        dl.facts.small dd{font-size:17px}
        .facts .review dd{color:var(--warn)}
        .facts .fail dd{color:var(--bad)}
        .films{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,280px),1fr));gap:16px;margin:14px 0}
        figure{margin:0}
        figcaption{font-size:13px;padding-bottom:4px}
        video{display:block;width:100%;aspect-ratio:16/9;background:#000;border-radius:8px}
        .absent{margin:0;padding:12px 14px;border:1px dashed var(--line);border-radius:8px;color:var(--soft);
        overflow-wrap:anywhere}
        svg.sound{width:100%;min-width:760px;margin:2px 0 8px}
        .sound text{font-size:11px;fill:var(--soft)}
        .sound .name{font-size:12px;font-weight:600;fill:var(--ink)}
        .sound .field{fill:var(--odd)}
        .sound .axis path{stroke:var(--line);stroke-width:1;fill:none}
        .wave.source{fill:var(--kept)}
        .wave.dub{fill:var(--accent)}
        .key .wave-source{background:var(--kept)}
        .key .wave-dub{background:var(--accent)}
        .line{--tone:var(--ok);cursor:pointer}
        .line.warn{--tone:#d98a00}
        .line.bad{--tone:var(--bad)}
        .line rect{fill:var(--tone);fill-opacity:.13;stroke:var(--tone);stroke-opacity:.55;stroke-width:1}
        .line .tie{fill:var(--tone);fill-opacity:.28}
        .line text{fill:var(--soft)}
        .line.on rect,.line:hover rect{fill-opacity:.3;stroke-opacity:1;stroke-width:1.5}
        .line.on .tie,.line:hover .tie{fill-opacity:.6}
        .line.on text{fill:var(--ink);font-weight:700}
        .key .fine{background:var(--ok)}
        .key .warn{background:#d98a00}
        .key .bad{background:var(--bad)}
        .worst tbody th{font-weight:400}
        .worst tr.on td,.worst tr.on th{background:var(--wash)}
        .worst .off{color:var(--bad);font-weight:600}
        .note{font-size:13px}
        .play{white-space:nowrap}
        footer{padding-bottom:40px;color:var(--soft);font-size:13px}
        @media(max-width:640px){main,header,footer{padding-left:12px;padding-right:12px}header{padding-top:20px}
        section{padding:14px}h1{font-size:22px}}
        @media print{body{background:none}section{break-inside:avoid}button,output{display:none}}
        """

    /// Tells in words what the pointer or the arrow keys are on, and hides items that passed where that is asked for.
    static let script: Markup = #"""
        "use strict";
        {
          const told = document.getElementById("told"), field = document.getElementById("timeline-field");
          if (told && field) {
            const marks = [...field.querySelectorAll(".marks rect")].sort((a, b) => a.x.baseVal.value - b.x.baseVal.value);
            let at = -1;
            const show = (index) => {
              if (at >= 0) marks[at].classList.remove("on");
              at = index;
              marks[at].classList.add("on");
              told.textContent = marks[at].querySelector("title").textContent;
              const box = marks[at].getBoundingClientRect(), view = field.getBoundingClientRect();
              if (box.left < view.left || box.right > view.right) field.scrollLeft += box.left - view.left - view.width / 3;
            };
            field.addEventListener("pointerover", (event) => {
              const index = marks.indexOf(event.target);
              if (index >= 0) show(index);
            });
            field.addEventListener("keydown", (event) => {
              const last = marks.length - 1;
              const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last}[event.key];
              if (to === undefined || last < 0) return;
              event.preventDefault();
              show(Math.max(0, Math.min(last, to)));
            });
          }
          for (const dub of document.querySelectorAll("section.dub")) {
            const field = dub.querySelector(".field-of-lines"), told = dub.querySelector(".told-line");
            const films = {source: dub.querySelector("video.source"), dub: dub.querySelector("video.dub")};
            const rows = [...dub.querySelectorAll("tr[data-line]")];
            const marks = [...dub.querySelectorAll(".line")].sort((a, b) => a.dataset.line - b.dataset.line);
            let at = -1, until = 0;
            for (const film of Object.values(films)) {
              film?.addEventListener("error", () => { film.hidden = true; film.nextElementSibling.hidden = false; });
              film?.addEventListener("timeupdate", () => {
                if (until && film.currentTime >= until) { until = 0; film.pause(); }
              });
            }
            const show = (index) => {
              at = index;
              const line = marks[at].dataset.line;
              for (const part of [...marks, ...rows]) part.classList.toggle("on", part.dataset.line === line);
              if (told) told.textContent = marks[at].querySelector("title").textContent;
              marks[at].scrollIntoView({block: "nearest", inline: "nearest"});
            };
            const play = (line, kind) => {
              const row = rows.find((row) => row.dataset.line === line), film = films[kind];
              if (!row || !film || film.hidden) return;
              for (const other of Object.values(films)) other?.pause();
              const own = kind === "dub" ? [row.dataset.dubStart, row.dataset.dubEnd] : [row.dataset.start, row.dataset.end];
              film.currentTime = Math.max(0, own[0] - 0.2);
              until = Number(own[1]) + 0.3;
              film.play().catch(() => {});
            };
            field?.addEventListener("keydown", (event) => {
              const last = marks.length - 1;
              if (event.key === "Enter" && at >= 0) return play(marks[at].dataset.line, event.shiftKey ? "source" : "dub");
              const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last}[event.key];
              if (to === undefined || last < 0) return;
              event.preventDefault();
              show(Math.max(0, Math.min(last, to)));
            });
            field?.addEventListener("click", (event) => {
              const index = marks.indexOf(event.target.closest(".line"));
              if (index >= 0) { show(index); play(marks[index].dataset.line, "dub"); }
            });
            dub.addEventListener("click", (event) => {
              const button = event.target.closest("button[data-play]");
              if (!button) return;
              const line = button.closest("tr").dataset.line, index = marks.findIndex((mark) => mark.dataset.line === line);
              if (index >= 0) show(index);
              play(line, button.dataset.play);
            });
          }
          const button = document.getElementById("few"), items = document.getElementById("items");
          if (button && items) {
            button.hidden = false;
            button.addEventListener("click", () => {
              button.setAttribute("aria-pressed", items.classList.toggle("few"));
            });
          }
        }
        """#
}
