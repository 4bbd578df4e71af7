# SPDX-License-Identifier: Apache-2.0 OR MIT
# Reads vmtests/kernels.toml. Debian's vagrant brings no TOML library, and the installers of other systems bring a Ruby of
# their own, so this reads the part of TOML that the file is written in: tables, strings, and lists of strings. Anything
# else is refused, never guessed at.
module Matrix
  TABLE = /\A\[(.+)\]\z/
  NAME = /"([^"]*)"|([\w-]+)/
  STRING = /"([^"\\]*)"/
  LIST = /\A\[\s*(?:#{STRING}\s*,\s*)*(?:#{STRING}\s*)?\]\z/

  # Table by its dotted name, each a hash of strings and lists.
  def self.read(path)
    tables = Hash.new { |all, name| all[name] = {} }
    table = nil
    statements(path).each do |text, place|
      if (found = text.match(TABLE)) && !text.include?("=")
        table = tables[found[1].scan(NAME).map { |quoted, bare| quoted || bare }.join(".")]
      elsif (found = text.match(/\A([\w-]+)\s*=\s*(.+)\z/)) && table
        table[found[1]] = value(found[2], place)
      else
        raise "#{place}: expected [table] or key = value: #{text}"
      end
    end
    tables
  end

  # Lines without comments; a list that spans several is one.
  def self.statements(path)
    found = []
    open = nil
    File.foreach(path, encoding: "UTF-8").with_index(1) do |line, number|
      text = line.gsub(/\A((?:[^"#]|#{STRING})*)#.*/m, '\1').strip
      next if text.empty?
      if open
        open[0] << " " << text
      else
        found << [+text, "#{path}:#{number}"]
        open = found.last if text.match?(/=\s*\[[^\]]*\z/)
      end
      open = nil if open && text.end_with?("]")
    end
    found
  end

  def self.value(text, place)
    case text
    when /\A#{STRING}\z/ then $1
    when LIST then text.scan(STRING).flatten
    else raise "#{place}: expected a string or a list of strings: #{text}"
    end
  end

  # The machines: [release.NAME] with its box, and the packages that its tests need.
  def self.machines(path)
    tables = read(path)
    guest = tables.key?("guest") ? tables["guest"]["packages"] : nil
    releases = tables.select { |name, _| name.start_with?("release.") }
    releases.map do |name, entry|
      missing = %w[distribution version box].reject { |key| entry[key].is_a?(String) }
      raise "#{path}: [#{name}] has no #{missing.join(' and no ')}" unless missing.empty?
      packages = entry["packages"] || guest || []
      [name.delete_prefix("release."), entry.merge("packages" => packages)]
    end.to_h
  end
end
