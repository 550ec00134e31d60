"""How a page looks: quiet, for reading and for print, in light and in dark."""

STYLE = """
:root{--ink:#1c1e21;--dim:#6b7076;--line:#e3e5e8;--paper:#fff;--soft:#f6f7f8;--red:#c8453a;
--green:#2e7d4f;--yellow:#a8780f;--c0:#3b6fb6;--c1:#d0763a;--c2:#4e9a5b;--c3:#b8444e;--c4:#8266b0;--c5:#8a6d5b;--c6:#c977a6;--c7:#7d8790}
@media(prefers-color-scheme:dark){:root{--ink:#e6e7e9;--dim:#9aa0a6;--line:#33373c;--paper:#17191c;--soft:#1f2226;
--red:#ef8078;--green:#7cc799;--yellow:#dcb45a;--c0:#7aa5e0;--c1:#e79c68;--c2:#7fc48b;--c3:#e2808a;--c4:#b29cdc;--c5:#c0a391;
--c6:#e2a3c6;--c7:#a9b1b8}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:26px;font-weight:600;margin:0 0 12px}
h2{font-size:18px;font-weight:600;margin:44px 0 10px;padding-top:14px;border-top:1px solid var(--line)}
h3{font-size:15px;font-weight:600;margin:24px 0 6px}
.says{margin:0;padding:12px 16px 12px 32px;background:var(--soft);border-left:3px solid var(--c0)}
.note,.dim,footer{color:var(--dim)}.note{margin:6px 0;font-size:13px}footer{margin-top:56px;font-size:12px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums}
th{font-weight:600;text-align:left;color:var(--dim);white-space:nowrap}
th,td{padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
td{white-space:nowrap}td.n,th.n{text-align:right}td.wrap{white-space:normal;min-width:160px;overflow-wrap:anywhere}
td.green{color:var(--green)}td.yellow{color:var(--yellow)}td.red,td.doubt{color:var(--red)}
figure{margin:18px 0}figcaption{font-size:13.5px;font-weight:600;margin-bottom:4px}
figcaption span{color:var(--dim);font-weight:400}
svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}
svg .time{fill:var(--dim);font-size:11px}svg .tick{stroke:var(--line)}
.reliability{width:260px;flex:none}.reliability .frame{fill:none;stroke:var(--line)}
.reliability .ideal{stroke:var(--dim);stroke-dasharray:3 3}.reliability circle{fill:var(--c0);fill-opacity:.8}
.pair{display:flex;gap:24px;align-items:center;flex-wrap:wrap}.pair p{max-width:420px}
.legend{font-size:13px;display:flex;flex-wrap:wrap;gap:4px 16px;margin:4px 0}
.legend i{display:inline-block;width:10px;height:10px;
border-radius:2px;margin-right:6px}
.c0{fill:var(--c0);background:var(--c0)}.c1{fill:var(--c1);background:var(--c1)}.c2{fill:var(--c2);background:var(--c2)}
.c3{fill:var(--c3);background:var(--c3)}.c4{fill:var(--c4);background:var(--c4)}.c5{fill:var(--c5);background:var(--c5)}
.c6{fill:var(--c6);background:var(--c6)}.c7{fill:var(--c7);background:var(--c7)}
.mark{fill-opacity:.85}.mark.missed{fill-opacity:.25;stroke:var(--red);stroke-width:1.5}
@media print{main{max-width:none;padding:0}section{break-inside:avoid-page}.scroll{overflow:visible}}
""".replace("\n", "")
