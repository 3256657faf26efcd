class KnKrt < Formula
  desc "Run KRT V1 versions on this machine or on Knative"
  homepage "https://krt.dev/kn-krt"
  version "1.2.3"
  license "Apache-2.0"

  on_linux do
    on_intel do
      url "https://example.com/v1.2.3/kn-krt_v1.2.3_linux_amd64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
    end
  end

  on_linux do
    on_arm do
      url "https://example.com/v1.2.3/kn-krt_v1.2.3_linux_arm64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000001"
    end
  end

  on_macos do
    on_arm do
      url "https://example.com/v1.2.3/kn-krt_v1.2.3_darwin_arm64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000002"
    end
  end

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
