// Loaded before node-red-dev where the host of the node catalogue cannot be reached, for it would end there with no
// scorecard at all: an empty catalogue takes its place.
import axios from 'axios';

const { get } = axios;
axios.get = async (address, ...rest) =>
  new URL(address).hostname === 'catalogue.nodered.org' ? { data: { modules: [] } } : get(address, ...rest);
