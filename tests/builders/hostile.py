"""Names and texts that try to be more than text."""

from hypothesis import strategies as st

SCRIPT = "<script>document.title='owned'</script>"
HOSTILE = (
    SCRIPT,
    '"><img src=x onerror="document.title=\'owned\'">',
    "</title><svg onload=document.title='owned'>",
    "'; touch /tmp/owned; echo '",
    "$(touch owned)`touch owned`",
    "--kubeconfig=/etc/passwd",
    "a|b\\|c `code` **bold** [x](javascript:alert(1)) ![i](https://evil.example/x.png)",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1) https://evil.example www.evil.example a@b.example",
    "</style><style>*{display:none}</style>",
    "]]> --> <!-- &lt;script&gt; &amp;",
    "日本語 ünïcödé 🚨",
)
UNPRINTABLE = "\x1b[31mred\x1b[0m \x07\u202eevil\u2066 line\nbreak\r\x00"

_ALPHABET = st.one_of(
    st.characters(codec="utf-8"), st.sampled_from("<>&\"'`|*_[]()#\\-+!~$@:/{}\n\x1b")
)
TEXTS = st.one_of(st.sampled_from((*HOSTILE, UNPRINTABLE)), st.text(_ALPHABET, max_size=60))
NAMES = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(_ALPHABET, min_size=1, max_size=60).filter(str.isprintable),
)
