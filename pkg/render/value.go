package render

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	imagename "github.com/google/go-containerregistry/pkg/name"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// The functions of this file read one kind of value each. The error quotes the text and
// says what it may be.

func duration(to *time.Duration, text string, most time.Duration) error {
	const least = time.Second
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return fmt.Errorf(`%.40q is not a duration from %s to %s, such as "30s" or "2m"`, text, least, most)
	}
	*to = d
	return nil
}

func integer[T int | int32 | int64](to *T, text string, least, most int64) error {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < least || n > most {
		return fmt.Errorf("%.40q is not a whole number from %d to %d", text, least, most)
	}
	*to = T(n)
	return nil
}

func name(to *string, text string) error {
	if text != "" && len(validation.IsDNS1123Subdomain(text)) > 0 {
		return fmt.Errorf("%.80q is not a valid name of an object", text)
	}
	*to = text
	return nil
}

func names(to *[]string, text string) error {
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		if err := name(new(string), one); err != nil {
			return err
		}
		all = append(all, one)
	}
	*to = all
	return nil
}

func namespaces(to *[]string, text string) error {
	if text == "*" {
		*to = []string{text}
		return nil
	}
	return names(to, text)
}

func domain(to *string, text string) error {
	if len(validation.IsDNS1123Subdomain(text)) > 0 {
		return fmt.Errorf(`%.80q is not a domain such as "example.com"`, text)
	}
	*to = text
	return nil
}

func gateway(to *Gateway, text string) error {
	parts := strings.Split(text, "/")
	bad := func(part string) bool { return len(validation.IsDNS1123Subdomain(part)) > 0 }
	if text != "" && (len(parts) < 2 || len(parts) > 3 || slices.ContainsFunc(parts, bad)) {
		return fmt.Errorf(`%.80q is not a Gateway such as "gateways/public" (namespace/name), or with a listener "gateways/public/https"`, text)
	}
	parts = append(parts, "", "")
	*to = Gateway{Namespace: parts[0], Name: parts[1], Listener: parts[2]}
	return nil
}

func storeURL(to *string, text string) error {
	u, err := url.Parse(text)
	if text != "" && text != NoStore && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
		return fmt.Errorf(`%.80q is not "none" or a URL such as "http://host:port", without a user`, text)
	}
	*to = text
	return nil
}

// serverURL is the URL of a server, without a user: settings are no place for secrets.
func serverURL(to *string, text, example string) error {
	u, err := url.Parse(text)
	if text != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "") {
		return fmt.Errorf("%.80q is not a URL such as %q, without a user", text, example)
	}
	*to = text
	return nil
}

func oneOf(to *string, text string, allowed ...string) error {
	if !slices.Contains(allowed, text) {
		return fmt.Errorf("%.40q is not one of %s", text, strings.Join(allowed, ", "))
	}
	*to = text
	return nil
}

func share(to *float64, text string) error {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= 1) {
		return fmt.Errorf("%.40q is not a number from 0 to 1", text)
	}
	*to = n
	return nil
}

func byteSize(to *int64, text string) error {
	if text == "" {
		*to = 0
		return nil
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil || quantity.Value() < 1<<20 || quantity.Value() > 1<<40 {
		return fmt.Errorf(`%.40q is not a size from 1Mi to 1Ti, such as "256Mi"`, text)
	}
	*to = quantity.Value()
	return nil
}

func webOrigins(to *[]string, text string) error {
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		if err := web.CheckOrigin(one); err != nil {
			return err
		}
		all = append(all, one)
	}
	*to = all
	return nil
}

func resourceName(to *corev1.ResourceName, text string) error {
	if len(validation.IsQualifiedName(text)) > 0 || !strings.Contains(text, "/") {
		return fmt.Errorf(`%.80q is not a resource such as "nvidia.com/gpu"`, text)
	}
	*to = corev1.ResourceName(text)
	return nil
}

// object reads YAML into to and refuses unknown keys. expected describes it.
func object(to any, text, expected string) error {
	if err := yaml.UnmarshalStrict([]byte(text), to); err != nil {
		detail := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error unmarshaling JSON: "), "error converting YAML to JSON: ")
		return fmt.Errorf("is not %s in YAML: %s", expected, strings.ReplaceAll(detail, "\n", " "))
	}
	return nil
}

func images(to *map[string]string, text string) error {
	var all map[string]string
	if err := object(&all, text, "a map from names to images"); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if _, err := imagename.ParseReference(all[key]); err != nil {
			return fmt.Errorf("%.80q: %.200q is not an image reference", key, all[key])
		}
	}
	*to = all
	return nil
}

func labelMap(to *map[string]string, text string) error {
	var all map[string]string
	if err := object(&all, text, "a map of labels"); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if len(validation.IsQualifiedName(key)) > 0 {
			return fmt.Errorf("%.80q is not a valid name of a label", key)
		}
		if len(validation.IsValidLabelValue(all[key])) > 0 {
			return fmt.Errorf("%s: %.80q is not a valid value of a label", key, all[key])
		}
	}
	*to = all
	return nil
}

func annotations(to *map[string]string, text string) error {
	var all map[string]string
	if err := object(&all, text, "a map of annotations"); err != nil {
		return err
	}
	if err := checkAnnotations(all); err != nil {
		return err
	}
	*to = all
	return nil
}

func checkAnnotations(all map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if len(validation.IsQualifiedName(strings.ToLower(key))) > 0 {
			return fmt.Errorf("%.80q is not a valid name of an annotation", key)
		}
	}
	return nil
}

func tolerations(to *[]corev1.Toleration, text string) error {
	var all []corev1.Toleration
	if err := object(&all, text, "a list of tolerations"); err != nil {
		return err
	}
	for i, t := range all {
		if err := checkToleration(t); err != nil {
			return fmt.Errorf("toleration %d: %w", i+1, err)
		}
	}
	*to = all
	return nil
}

func checkToleration(t corev1.Toleration) error {
	operators := []corev1.TolerationOperator{"", corev1.TolerationOpExists, corev1.TolerationOpEqual}
	effects := []corev1.TaintEffect{"", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}
	switch exists := t.Operator == corev1.TolerationOpExists; {
	case !slices.Contains(operators, t.Operator):
		return fmt.Errorf("operator %.40q is neither Exists nor Equal", t.Operator)
	case exists && t.Value != "":
		return errors.New("with operator Exists, a value is not allowed")
	case !exists && t.Key == "":
		return errors.New("without a key, the operator must be Exists")
	case t.Key != "" && len(validation.IsQualifiedName(t.Key)) > 0:
		return fmt.Errorf("%.80q is not a valid key of a taint", t.Key)
	case !slices.Contains(effects, t.Effect):
		return fmt.Errorf("effect %.40q is not one of NoSchedule, PreferNoSchedule, NoExecute", t.Effect)
	}
	return nil
}

func channelTemplate(to *v1alpha1.ChannelTemplate, text string) error {
	template, err := ParseChannelTemplate(text)
	if err == nil {
		*to = template
	}
	return err
}

func resources(to *corev1.ResourceRequirements, text string) error {
	// Not as quantities at once: their errors do not name the key.
	var texts struct {
		Requests, Limits map[corev1.ResourceName]string
	}
	if err := object(&texts, text, "a map with requests and limits"); err != nil {
		return err
	}
	read := func(field string, texts map[corev1.ResourceName]string) (corev1.ResourceList, error) {
		if texts == nil {
			return nil, nil
		}
		list := corev1.ResourceList{}
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			quantity, err := resource.ParseQuantity(texts[key])
			if err != nil || quantity.Sign() < 0 {
				return nil, fmt.Errorf(`%s.%s: %.40q is not a quantity such as "500m" or "2Gi"`, field, key, texts[key])
			}
			list[key] = quantity
		}
		return list, nil
	}
	var err error
	if to.Requests, err = read("requests", texts.Requests); err != nil {
		return err
	}
	to.Limits, err = read("limits", texts.Limits)
	return err
}
