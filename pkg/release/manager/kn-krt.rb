class KnKrt < Formula
  desc "Run KRT V1 versions on this machine or on Knative"
  homepage "https://krt.dev/kn-krt"
  version "[[ .Number ]]"
  license "Apache-2.0"
[[ range .More ]][[ if ne .OS "windows" ]]
  on_[[ if eq .OS "darwin" ]]macos[[ else ]]linux[[ end ]] do
    on_[[ if eq .Arch "arm64" ]]arm[[ else ]]intel[[ end ]] do
      url "[[ .URL ]]"
      sha256 "[[ .Sum ]]"
    end
  end
[[ end ]][[ end ]]
  def install
    bin.install "kn-krt"
    man1.install Dir["man/man1/*.1"]
    bash_completion.install "completions/kn-krt.bash" => "kn-krt"
    zsh_completion.install "completions/_kn-krt"
    fish_completion.install "completions/kn-krt.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/kn-krt version")
  end
end
