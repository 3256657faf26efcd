package markdown_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"krt.dev/kn-krt/pkg/dashboard/markdown"
)

// addresses are those of a page at /docs/, on which there is no file called missing.
func addresses() markdown.Addresses {
	to := func(prefix string) func(string) string {
		return func(path string) string {
			if strings.Contains(path, "missing") {
				return ""
			}
			return prefix + path
		}
	}
	return markdown.Addresses{Page: to("/page/"), Image: to("/image/")}
}

func render(t *testing.T, text string) string {
	t.Helper()
	page, err := markdown.Render([]byte(text), "docs/guide/README.md", addresses())
	require.NoError(t, err)
	return strings.TrimSpace(string(page.HTML))
}

func TestRender(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a heading": {"# Über uns!", `<h2 id="doc-über-uns">Über uns!</h2>`},
		"a table": {"| a | b |\n| - | -: |\n| 1 | 2 |", "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n" +
			"<tbody>\n<tr>\n<td>1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>"},
		"code": {"```sh\na < b\n```", "<pre><code class=\"language-sh\">a &lt; b\n</code></pre>"},
		"a page elsewhere": {"[a](https://example.com/x?y=1)",
			`<p><a href="https://example.com/x?y=1" rel="noopener noreferrer">a</a></p>`},
		"an address": {"see https://example.com",
			`<p>see <a href="https://example.com" rel="noopener noreferrer">https://example.com</a></p>`},
		"a file":                   {"[a](other.md#The%20part)", `<p><a href="/page/docs/guide/other.md#doc-the-part">a</a></p>`},
		"a file above":             {"[a](../README.md)", `<p><a href="/page/docs/README.md">a</a></p>`},
		"a heading's link":         {"[a](#über-uns)", `<p><a href="#doc-%C3%BCber-uns">a</a></p>`},
		"a file that is not there": {"[a *b*](missing.md)", `<p>a <em>b</em></p>`},
		"an image":                 {"![a b](img/a.png)", `<p><img src="/image/docs/guide/img/a.png" alt="a b" loading="lazy" /></p>`},
		"an image of a link": {"[![a](a.png)](b.md)",
			`<p><a href="/page/docs/guide/b.md"><img src="/image/docs/guide/a.png" alt="a" loading="lazy" /></a></p>`},
		"a direction": {"a \u202eb\u2066 \x1b[31m `c\u202e` \u200f", `<p>a \u202eb\u2066 \x1b[31m <code>c\u202e</code> ` + "\u200f</p>"},
		"an entity": {"a &#x202e;b &#8294; &#27;[31m [c](https://a.b \"&#x202e;\")",
			`<p>a \u202eb \u2066 \x1b[31m <a href="https://a.b" title="\u202e" rel="noopener noreferrer">c</a></p>`},
		"Windows' lines": {"a\r\n\r\nb", "<p>a</p>\n<p>b</p>"},
		"a task":         {"- [x] a", "<ul>\n<li><input checked=\"\" disabled=\"\" type=\"checkbox\" /> a</li>\n</ul>"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, render(t, c.text)) })
	}
}

// What nobody has reviewed runs nothing, loads nothing from elsewhere and leads nowhere unexpected.
func TestRenderLeavesOut(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a script":              {"<script>alert(1)</script>", ""},
		"an element in a line":  {"a <img src=x onerror=alert(1)> b", "<p>a  b</p>"},
		"a script's link":       {"[a](javascript:alert(1))", "<p>a</p>"},
		"one with an entity":    {"[a](javascript&colon;alert(1))", "<p>a</p>"},
		"one in upper case":     {"[a](JaVaScRiPt:alert(1))", "<p>a</p>"},
		"one with a tab":        {"[a](<java\tscript:alert(1)>)", "<p>a</p>"},
		"data":                  {"[a](data:text/html,x)", "<p>a</p>"},
		"a script in brackets":  {"<javascript:alert(1)>", "<p>javascript:alert(1)</p>"},
		"a file of the machine": {"[a](file:///etc/passwd)", "<p>a</p>"},
		"an absolute path":      {"[a](/actions/stop)", "<p>a</p>"},
		"another host":          {"[a](//example.com/x)", "<p>a</p>"},
		"a way out":             {"[a](../../krt.yml)", "<p>a</p>"},
		"a way out in code":     {"[a](%2e%2e/%2e%2e/krt.yml)", "<p>a</p>"},
		"a backslash":           {`[a](..\..\krt.yml)`, "<p>a</p>"},
		"a password":            {"[a](https://bank.example@example.com/)", "<p>a</p>"},
		"an image elsewhere": {"![a](https://example.com/a.png)",
			`<p><a href="https://example.com/a.png" rel="noopener noreferrer">[image: a]</a></p>`},
		"one in a link": {"[![a](https://example.com/a.png)](https://example.com)",
			`<p><a href="https://example.com" rel="noopener noreferrer">[image: a]</a></p>`},
		"data as an image": {"![a](data:image/svg+xml,x)", "<p>[image: a]</p>"},
		"an image outside": {"![](../../a.png)", "<p>[image: a.png]</p>"},
		"text as markup":   {"![\"><script>](missing.png)", "<p>[image: &quot;&gt;]</p>"},
		"a title": {`[a](b.md '"><script>alert(1)</script>')`,
			`<p><a href="/page/docs/guide/b.md" title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">a</a></p>`},
		"a language": {"```\"><script>\n```", "<pre><code class=\"language-&quot;&gt;&lt;script&gt;\"></code></pre>"},
		"attributes": {"# a {#b onclick=c}", `<h2 id="doc-a-b-onclickc">a {#b onclick=c}</h2>`},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, render(t, c.text)) })
	}
}

func TestHeadings(t *testing.T) {
	page, err := markdown.Render([]byte("## A *b*\n# C `d`\n# C d\n#### e\n"), "docs/README.md", addresses())
	require.NoError(t, err)
	require.Equal(t, "A b", page.Title)
	require.Equal(t, []markdown.Heading{{2, "A b", "doc-a-b"}, {1, "C d", "doc-c-d"}, {1, "C d", "doc-c-d-1"}}, page.Headings)
}

func TestLimits(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("a\n\n", 100_000):      "more than 256 KiB",
		strings.Repeat("a\n", 40_000):         "more than 64 KiB without an empty line",
		strings.Repeat("|||||||||||\n", 5000): "a table of more than 50,000 cells",
		strings.Repeat(">", 65):               "quotes or lists that are nested too deeply",
		strings.Repeat("- ", 65) + "a":        "quotes or lists that are nested too deeply",
		strings.Repeat("> 1. ", 33) + "a":     "quotes or lists that are nested too deeply",
		strings.Repeat("[a](", 4001):          "more than 4,000 of [, *, _ and ~ without an empty line",
		"a" + strings.Repeat("~", 4001):       "more than 4,000 of [, *, _ and ~ without an empty line",
	} {
		_, err := markdown.Render([]byte(text), "docs/README.md", addresses())
		var limit *markdown.LimitError
		require.ErrorAs(t, err, &limit)
		require.EqualError(t, err, "the text is not shown, because it has "+want)
	}
}

// allowed are the elements and attributes that a text may become.
var (
	allowedElements = regexp.MustCompile(`^(h[1-6]|p|a|img|em|strong|del|code|pre|ul|ol|li|blockquote|hr|br|` +
		`table|thead|tbody|tr|th|td|input)$`)
	allowedHref = regexp.MustCompile(`^(#doc-|https?://|mailto:|/page/docs/)`)
)

// FuzzRender holds that whatever the text is, its HTML has only what is listed here.
func FuzzRender(f *testing.F) {
	for _, text := range []string{
		"# a\n\n[a](javascript:b) <script>", "![a](x.png \"t\")", "<http://a> <javascript:a>", "| a |\n|--|\n| [x](y.md) |", "- [ ] a\n> b\n1. c",
		"[a]: javascript:b\n\n[a]", "www.example.com a@example.com", "```a\nb\n```", "a\n=\n***b _c_***", "&lt;script&gt;",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		page, err := markdown.Render([]byte(text), "docs/README.md", addresses())
		if err != nil {
			require.ErrorAs(t, err, new(*markdown.LimitError))
			return
		}
		tokens := html.NewTokenizer(strings.NewReader(string(page.HTML)))
		for tokens.Next() != html.ErrorToken {
			token := tokens.Token()
			require.NotEqual(t, html.CommentToken, token.Type, "%s", page.HTML)
			require.NotEqual(t, html.DoctypeToken, token.Type, "%s", page.HTML)
			if token.Type == html.TextToken {
				continue
			}
			require.Regexp(t, allowedElements, token.Data)
			for _, a := range token.Attr {
				switch a.Key {
				case "href":
					require.Regexp(t, allowedHref, a.Val)
				case "src":
					require.Regexp(t, `^/image/docs/`, a.Val)
				case "id":
					require.Regexp(t, `^doc-`, a.Val)
				case "type":
					require.Equal(t, "checkbox", a.Val)
				case "alt", "title", "rel", "class", "align", "start", "checked", "disabled", "loading":
				default:
					require.Fail(t, "an attribute that is not expected", "%s in %s", a.Key, page.HTML)
				}
			}
		}
	})
}
