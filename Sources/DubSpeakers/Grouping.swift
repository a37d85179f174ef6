/// Groups voiceprints from the bottom up: the two groups whose means lie closest are joined, until none are close.
///
/// Means are compared, and not the farthest members, because a mean over many windows says more about a voice than any
/// of them. O(n²) comparisons.
struct Grouping {
    /// A group, and what it stands for.
    struct Group {
        /// Indices into what was grouped, in order.
        var members: [Int]
        /// The weighted sum of the members' directions.
        var sum: [Float]
    }

    /// What is grouped: directions and how much each weighs.
    let prints: [(print: Voiceprint, weight: Double)]

    /// The groups, in the order of their first members.
    ///
    /// - Parameters:
    ///   - closeness: groups whose means have a greater cosine are joined; does not matter where `count` is given.
    ///   - count: how many groups there are to be; fewer where there is not so much to group.
    func groups(closeness: Double, count: Int? = nil) -> [Group] {
        var groups: [Group?] = prints.enumerated().map { index, one in
            Group(members: [index], sum: one.print.components.map { $0 * Float(one.weight) })
        }
        var means = prints.map(\.print)
        var alive = Array(prints.indices)
        // For each group the closest of those behind it.
        var nearest: [(other: Int, cosine: Double)] = prints.indices.map { _ in (-1, -2) }
        func look(from index: Int) {
            nearest[index] = (-1, -2)
            for other in alive where other > index {
                let cosine = means[index].similarity(to: means[other])
                if cosine > nearest[index].cosine { nearest[index] = (other, cosine) }
            }
        }
        for index in alive { look(from: index) }
        while alive.count > max(1, count ?? 1) {
            guard let low = alive.max(by: { nearest[$0].cosine < nearest[$1].cosine }) else { break }
            let (high, cosine) = nearest[low]
            guard high >= 0, count != nil || cosine > closeness else { break }
            guard let gone = groups[high], var joined = groups[low] else { break }
            joined.members = (joined.members + gone.members).sorted()
            for index in joined.sum.indices { joined.sum[index] += gone.sum[index] }
            groups[low] = joined
            groups[high] = nil
            means[low] = Voiceprint(joined.sum)
            alive.removeAll { $0 == high }
            look(from: low)
            for index in alive where index != low {
                if nearest[index].other == high || nearest[index].other == low {
                    look(from: index)
                } else if index < low {
                    let cosine = means[index].similarity(to: means[low])
                    if cosine > nearest[index].cosine { nearest[index] = (low, cosine) }
                }
            }
        }
        return alive.compactMap { groups[$0] }.sorted { ($0.members.first ?? 0) < ($1.members.first ?? 0) }
    }
}
