/**
 * Makes a run's name of two words, as Prefect does: `brisk-otter`.
 * @param random two numbers of [0, 1)
 */
export function generateName(random: readonly [number, number]): string {
  return `${pick(ADJECTIVES, random[0])}-${pick(ANIMALS, random[1])}`
}

function pick(words: readonly string[], random: number): string {
  return words[Math.min(Math.floor(random * words.length), words.length - 1)] ?? ''
}

const ADJECTIVES = (
  'able agile airy amber ample azure balmy bold brave breezy brisk bright bubbly calm candid cheerful clever ' +
  'cobalt coral cosmic cosy crafty crimson crisp curious dapper daring dashing deft eager earnest easy elated ' +
  'fabled fair fancy fearless festive fleet fluent fond frank free fresh friendly gallant genial gentle giddy ' +
  'gilded glad golden graceful grand hardy hazel hearty honest humble ivory jade jolly jovial keen kind lively ' +
  'lucid lucky lunar lush mellow merry mighty mindful misty modest neat nifty nimble noble opal patient placid ' +
  'plucky polite proud quick quiet radiant rapid ready rustic sage scarlet serene sharp silver sincere sleek ' +
  'snappy solar spry steady sunny swift tidy tranquil upbeat valiant velvet vivid warm wise witty zesty'
).split(' ')

const ANIMALS = (
  'albatross alpaca antelope armadillo avocet badger bear beaver beetle bison bobcat buffalo bullfinch camel ' +
  'capybara caracal caribou cheetah chinchilla chipmunk cockatoo condor coyote crane cricket cuckoo curlew deer ' +
  'dingo dolphin donkey dormouse dove dragonfly eagle egret elk falcon ferret finch firefly flamingo fox gazelle ' +
  'gecko giraffe goldfinch goose grebe hare hedgehog heron hornbill hummingbird ibex ibis iguana jackal jaguar ' +
  'jay kestrel kingfisher kiwi koala lark lemur leopard lizard llama lynx macaw magpie manatee marmot marten ' +
  'meerkat mongoose moose narwhal newt nightingale ocelot octopus okapi oriole osprey otter owl panda panther ' +
  'parrot pelican penguin petrel pheasant plover porcupine puffin puma quail rabbit raccoon raven robin salmon ' +
  'sandpiper seahorse seal sparrow squirrel starling stork swallow swan tapir tern tiger tortoise toucan turtle ' +
  'vole wallaby walrus weasel whale wolf wombat woodpecker wren yak zebra'
).split(' ')
