/** Texts that would run, or break the page, if text were ever HTML. Whatever runs sets `window.ran`. */

/** What people type; each is one idea. */
export const typed = [
  '<script>window.ran = 1</script>',
  '<img src=x onerror="window.ran = 1">',
  '<svg onload="window.ran = 1"></svg>',
  '"><iframe srcdoc="<script>parent.ran = 1</script>"></iframe>',
  '<a href="javascript:window.ran = 1">click</a>',
  'javascript:window.ran=1',
  'http://x.example/"onmouseover="window.ran=1',
  "https://x.example/'><script>window.ran=1</script>",
  '<style>*{display:none}</style>',
  '<body onpageshow="window.ran = 1">',
  '{{constructor.constructor("window.ran = 1")()}}',
  '${window.ran = 1}',
  '<math><mi xlink:href="data:x,<script>window.ran=1</script>"></mi></math>',
  '</textarea><script>window.ran = 1</script>',
  '&lt;script&gt;window.ran = 1&lt;/script&gt;',
  '<details open ontoggle="window.ran = 1">',
  '\u202e<script>window.ran=1</script>\ufeff',
  '<object data="data:text/html,<script>parent.ran=1</script>"></object>',
];

const code = 'window.ran=1';
const events = ['error', 'load', 'focus', 'mouseover', 'animationstart', 'toggle', 'pointerenter', 'beforetoggle', 'scrollend', 'wheel'];
const tags = ['img src=x', 'svg', 'video src=x', 'audio src=x', 'input autofocus', 'details open', 'body', 'iframe src=x', 'marquee', 'select autofocus', 'x tabindex=1 autofocus', 'embed src=x'];
const schemes = ['javascript:', 'JaVaScRiPt:', 'java\tscript:', ' javascript:', 'data:text/html,<script>', 'vbscript:', 'blob:javascript:', 'view-source:javascript:'];
const closers = ['"', "'", '`', '>', '">', "'>", '-->', ']]>', '</title>', '</style>', '</textarea>', '</script>', '</svg>', '</template>'];

/** Two hundred and more: every tag with every event, links of every scheme, every way out of where one is. */
export const nasty = [
  ...typed,
  ...tags.flatMap((tag) => events.map((event) => `<${tag} on${event}="${code}">`)),
  ...schemes.flatMap((scheme) => [`${scheme}${code}`, `<a href="${scheme}${code}">x</a>`, `https://x.example/?${scheme}${code}`]),
  ...closers.flatMap((closer) => [`${closer}<script>${code}</script>`, `${closer}<img src=x onerror=${code}>`, `https://x.example/${closer}<script>${code}</script>`]),
];
